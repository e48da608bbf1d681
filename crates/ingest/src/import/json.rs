//! The requests in one object of OTLP/JSON, by its members' names.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use tracewell_otlp::json::{Converted, JsonError, convert_logs, convert_traces, metrics_json_to_protobuf};

use crate::signal::Signal;

/// What there is in a request.
pub(super) enum Kept {
    /// Spans or records, in protobuf.
    Rows(Signal, Converted),
    /// So many metric data points, which are not kept.
    Points(u64),
}

/// Why an object is no request.
pub(super) struct Wrong {
    /// Lines below its first.
    pub(super) line: u64,
    pub(super) reason: String,
}

const TRACES: &str = "resourceSpans";
const LOGS: &str = "resourceLogs";
const METRICS: &str = "resourceMetrics";

type Members = BTreeMap<String, IgnoredAny>;

/// Whether `text` is a whole object with the members of a request.
pub(super) fn is_request(text: &[u8]) -> bool {
    let members: Result<Members, _> = serde_json::from_slice(text);
    members.is_ok_and(|members| [TRACES, LOGS, METRICS].iter().any(|name| members.contains_key(*name)))
}

/// The requests of an object; one may hold traces, logs and metrics together.
pub(super) fn requests_of(text: &[u8]) -> Result<Vec<Kept>, Wrong> {
    let wrong = |line: usize, reason| Wrong { line: line.saturating_sub(1) as u64, reason };
    let unreadable = |error: JsonError| wrong(error.line(), error.reason());
    let members: Members = serde_json::from_slice(text).map_err(|error| unreadable(error.into()))?;
    let mut kept = Vec::new();
    if members.contains_key(TRACES) {
        kept.push(Kept::Rows(Signal::Traces, convert_traces(text).map_err(unreadable)?));
    }
    if members.contains_key(LOGS) {
        kept.push(Kept::Rows(Signal::Logs, convert_logs(text).map_err(unreadable)?));
    }
    if members.contains_key(METRICS) {
        let body = metrics_json_to_protobuf(text).map_err(unreadable)?;
        let points = tracewell_otlp::count_metric_points(&body).map_err(|error| wrong(1, error.to_string()))?;
        kept.push(Kept::Points(points));
    }
    if kept.is_empty() && !members.is_empty() {
        let mut names: Vec<String> = members.keys().take(5).map(|name| format!("`{name}`")).collect();
        if members.len() > names.len() {
            names.push("…".into());
        }
        let names = names.join(", ");
        return Err(wrong(1, format!("`{TRACES}`, `{LOGS}` or `{METRICS}` is expected at the top, there is {names}")));
    }
    Ok(kept)
}
