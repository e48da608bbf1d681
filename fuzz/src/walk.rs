//! The walk against `prost`: on requests, on what is nearly one, and on the same request written in another order.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use serde::de::IgnoredAny;
use tracewell_otlp::{Decoder, KeyValue, Limits, count_metric_points, index_logs, index_traces};

use crate::build;
use crate::cost;
use crate::oracle::{Row, Signal, assert_agree, by_prost, by_walk};
use crate::scramble::{Random, scramble};
use crate::seeds::{self, with_signal};

/// An empty attribute takes 2 bytes of a request and 40 of memory, in a vector that doubles as it grows.
const FACTOR: usize = 64;

/// A signal, then the bytes of a request.
pub(crate) fn check(data: &[u8]) {
    let Some((signal, body)) = seeds::signal(data) else { return };
    check_request(signal, body);
    check_metrics(body);
}

/// A request built from the input: always well framed, with fields where no encoder would put them.
pub(crate) fn check_built(data: &[u8]) {
    let Some((signal, data)) = seeds::signal(data) else { return };
    let body = build::request(signal, data);
    check_request(signal, &body);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    seeds::captures().iter().map(|capture| with_signal(capture.signal, &capture.body)).collect()
}

fn check_request(signal: Signal, body: &[u8]) {
    cost::bounded(body.len(), FACTOR, || read_all(signal, body));
    assert_agree(signal, body);
    let reencoded = match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(body).map(|request| request.encode_to_vec()),
        Signal::Logs => ExportLogsServiceRequest::decode(body).map(|request| request.encode_to_vec()),
    };
    if let Ok(reencoded) = reencoded {
        check_any_order(signal, &reencoded);
    }
}

/// Another order of the fields changes nothing: not what is read, and not what is refused.
fn check_any_order(signal: Signal, body: &[u8]) {
    let seed = body.iter().fold(1, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(*byte)) | 1);
    let scrambled = scramble(signal, body, &mut Random(seed));
    assert_eq!(by_prost(signal, &scrambled), by_prost(signal, body), "scrambling keeps the meaning");
    let refused = |body: &[u8]| -> Vec<bool> {
        by_walk(signal, body).expect("prost accepts it").iter().map(Row::is_refused).collect()
    };
    assert_eq!(refused(&scrambled), refused(body));
    assert_agree(signal, &scrambled);
}

/// Reads everything once, as a receiver does.
fn read_all(signal: Signal, body: &[u8]) {
    let mut decoder = Decoder::new(Limits::default());
    let mut json = String::new();
    match signal {
        Signal::Traces => {
            let Ok(index) = index_traces(body) else { return };
            for entry in index.spans() {
                let Ok(span) = decoder.decode_span(entry.bytes(body)) else { continue };
                let events = span.events.iter().flat_map(|event| event.attributes);
                let links = span.links.iter().flat_map(|link| link.attributes);
                check_json(span.attributes.iter().copied().chain(events).chain(links), &mut json);
            }
        }
        Signal::Logs => {
            let Ok(index) = index_logs(body) else { return };
            for entry in index.records() {
                let Ok(record) = decoder.decode_log(entry.bytes(body)) else { continue };
                let body = KeyValue { key: "", value: record.body };
                check_json(record.attributes.iter().copied().chain([body]), &mut json);
            }
        }
    }
}

/// A value written as JSON is JSON.
fn check_json<'a>(attributes: impl Iterator<Item = KeyValue<'a>>, json: &mut String) {
    for attribute in attributes {
        json.clear();
        attribute.value.write_json(json);
        let parsed = serde_json::from_str::<IgnoredAny>(json);
        assert!(parsed.is_ok(), "{json}: {parsed:?}");
    }
}

/// Where `prost` reads metrics, the walk counts as many points.
fn check_metrics(body: &[u8]) {
    let counted = count_metric_points(body);
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else { return };
    let metrics = request.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
    let points: usize = metrics
        .map(|metric| match &metric.data {
            Some(Data::Gauge(data)) => data.data_points.len(),
            Some(Data::Sum(data)) => data.data_points.len(),
            Some(Data::Histogram(data)) => data.data_points.len(),
            Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
            Some(Data::Summary(data)) => data.data_points.len(),
            None => 0,
        })
        .sum();
    assert_eq!(counted, Ok(points as u64));
}
