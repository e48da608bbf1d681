//! Which signal a request in protobuf carries. Nothing in it says so: all three have one shape, down to their rows.

use crate::MalformedRequest;
use crate::index::index_traces;
use crate::wire::Fields;

/// A signal of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
}

/// Rows that are looked at, at most.
const ROWS: usize = 64;

/// What most of the first rows look like; `None` when they say nothing.
///
/// # Errors
/// When the framing above the rows is broken.
pub fn carried(body: &[u8]) -> Result<Option<Carried>, MalformedRequest> {
    let rows = index_traces(body)?;
    let looks: Vec<Carried> = rows.spans().iter().take(ROWS).filter_map(|row| of_row(row.bytes(body))).collect();
    let votes = |signal| looks.iter().filter(|look| **look == signal).count();
    let most = [Carried::Traces, Carried::Logs, Carried::Metrics].into_iter().max_by_key(|signal| votes(*signal));
    Ok(most.filter(|signal| votes(*signal) > 0))
}

/// By fields whose type only one of the three gives to their number; ids and names are looked at last.
fn of_row(bytes: &[u8]) -> Option<Carried> {
    let mut fields = Fields::new(bytes, "row");
    let mut first = None;
    let mut second = None;
    while let Ok(Some(field)) = fields.next() {
        match field.tag {
            // The start and end of a span.
            7 | 8 if field.fixed64().is_ok() => return Some(Carried::Traces),
            // `kind` of a span, `attributes` of a record.
            6 if field.varint().is_ok() => return Some(Carried::Traces),
            6 if field.bytes().is_ok() => return Some(Carried::Logs),
            // The times, severity and flags of a record.
            1 | 11 if field.fixed64().is_ok() => return Some(Carried::Logs),
            2 if field.varint().is_ok() => return Some(Carried::Logs),
            8 if field.fixed32().is_ok() => return Some(Carried::Logs),
            // The points of a sum.
            7 if field.bytes().is_ok() => return Some(Carried::Metrics),
            1 => first = field.bytes().ok().map(<[u8]>::len),
            2 => second = field.bytes().ok().map(<[u8]>::len),
            _ => {}
        }
    }
    match (first, second) {
        (Some(16), Some(8)) => Some(Carried::Traces),
        // A metric has a name, and a span without times or ids is none.
        (Some(_), _) => Some(Carried::Metrics),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
    };
    use prost::Message;

    use super::*;

    #[test]
    fn captures_are_told_apart_without_their_names() {
        let data = |name: &str| std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).expect("it");
        for name in ["anthropic_error", "google_adk", "logfire", "openllmetry_langgraph", "vercel"] {
            assert_eq!(carried(&data(&format!("{name}.traces.pb"))), Ok(Some(Carried::Traces)), "{name}");
        }
        for name in ["google_adk", "openllmetry_events", "otel_genai"] {
            assert_eq!(carried(&data(&format!("{name}.logs.pb"))), Ok(Some(Carried::Logs)), "{name}");
        }
        // One bad span says nothing about the others.
        let mut request = ExportTraceServiceRequest::decode(&*data("google_adk.traces.pb")).expect("valid");
        request.resource_spans[0].scope_spans[0].spans[0].trace_id = vec![0; 16];
        assert_eq!(carried(&request.encode_to_vec()), Ok(Some(Carried::Traces)));
        assert_eq!(carried(&[]), Ok(None));
    }

    #[test]
    fn metrics_of_any_kind_are_neither_spans_nor_records() {
        let points = || vec![NumberDataPoint { time_unix_nano: 1, ..Default::default() }];
        let kinds = [
            metric::Data::Gauge(Gauge { data_points: points() }),
            metric::Data::Sum(Sum { data_points: points(), ..Default::default() }),
        ];
        for data in kinds {
            let metric = Metric { name: "requests".into(), data: Some(data), ..Default::default() };
            let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
            let resource_metrics = vec![ResourceMetrics { scope_metrics, ..Default::default() }];
            let body = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
            assert_eq!(carried(&body), Ok(Some(Carried::Metrics)));
        }
    }
}
