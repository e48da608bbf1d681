//! OTLP/JSON: what becomes protobuf is protobuf, and says what the text says.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use tracewell_otlp::count_metric_points;
use tracewell_otlp::json::{JsonError, logs_json_to_protobuf, metrics_json_to_protobuf, traces_json_to_protobuf};

use crate::cost;
use crate::oracle::{Signal, assert_agree, by_prost};
use crate::seeds::{self, captures, with_signal};

/// The text of one request grows no larger as protobuf; its vector doubles as it grows.
const FACTOR: usize = 8;

/// A signal, then the text of a request.
pub(crate) fn check(data: &[u8]) {
    let Some((signal, json)) = seeds::signal(data) else { return };
    if let Ok(body) = cost::bounded(json.len(), FACTOR, || to_protobuf(signal, json)) {
        assert!(by_prost(signal, &body).is_ok(), "prost reads what is written");
        assert_agree(signal, &body);
        check_round_trip(signal, &body);
    }
    if let Ok(body) = cost::bounded(json.len(), FACTOR, || metrics_json_to_protobuf(json)) {
        assert!(count_metric_points(&body).is_ok());
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    captures()
        .iter()
        .filter_map(|capture| Some(with_signal(capture.signal, &to_json(capture.signal, &capture.body)?)))
        .collect()
}

fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Vec<u8>, JsonError> {
    match signal {
        Signal::Traces => traces_json_to_protobuf(json),
        Signal::Logs => logs_json_to_protobuf(json),
    }
}

/// As `opentelemetry-proto` writes it; `None` for enums that have no name.
fn to_json(signal: Signal, body: &[u8]) -> Option<Vec<u8>> {
    fn text(request: &impl Serialize) -> Option<Vec<u8>> {
        serde_json::to_vec(request).ok()
    }
    match signal {
        Signal::Traces => text(&ExportTraceServiceRequest::decode(body).ok()?),
        Signal::Logs => text(&ExportLogsServiceRequest::decode(body).ok()?),
    }
}

/// What was read, written as JSON by `opentelemetry-proto`, reads the same.
fn check_round_trip(signal: Signal, body: &[u8]) {
    let Some(json) = to_json(signal, body) else { return };
    let again = to_protobuf(signal, &json).expect("what opentelemetry-proto writes");
    assert_eq!(by_prost(signal, &again), by_prost(signal, body));
}
