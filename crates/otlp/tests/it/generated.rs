//! Laws over generated requests.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use tracewell_otlp::json::{logs_json_to_protobuf, traces_json_to_protobuf};

use crate::oracle::{Signal, assert_agree, assert_equal, by_prost};
use crate::scramble::{Random, scramble};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z.]{1,12}", "\\PC{0,40}", "[ -~]{120,300}"]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let scalar = prop_oneof![
        Just(None),
        text().prop_map(|value| Some(Value::StringValue(value))),
        any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        any::<f64>().prop_map(|value| Some(Value::DoubleValue(value))),
        vec(any::<u8>(), 0..20).prop_map(|value| Some(Value::BytesValue(value))),
    ]
    .prop_map(|value| AnyValue { value });
    scalar.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4)
                .prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }),
            vec(key_value(inner), 0..4)
                .prop_map(|values| AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }),
        ]
    })
}

fn key_value(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    (text(), option::weighted(0.9, value)).prop_map(|(key, value)| KeyValue { key, value, key_strindex: 0 })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(any_value()), 0..4)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1u8.., length)
}

fn optional_id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), Just(vec![0; length]), id(length)]
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (optional_id(16), optional_id(8), text(), attributes(), any::<u32>(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

prop_compose! {
    fn span()(
        (trace_id, span_id, parent_span_id) in (id(16), id(8), optional_id(8)),
        (trace_state, name, flags, kind) in (text(), text(), any::<u32>(), any::<i32>()),
        (start_time_unix_nano, end_time_unix_nano) in any::<(u64, u64)>(),
        (attributes, events, links) in (attributes(), vec(event(), 0..3), vec(link(), 0..3)),
        (dropped_attributes_count, dropped_events_count, dropped_links_count) in any::<(u32, u32, u32)>(),
        status in option::of((text(), 0..4).prop_map(|(message, code)| Status { message, code })),
    ) -> Span {
        Span {
            trace_id, span_id, trace_state, parent_span_id, flags, name, kind, start_time_unix_nano,
            end_time_unix_nano, attributes, dropped_attributes_count, events, dropped_events_count, links,
            dropped_links_count, status,
        }
    }
}

prop_compose! {
    fn log_record()(
        (time_unix_nano, observed_time_unix_nano) in any::<(u64, u64)>(),
        (severity_number, severity_text, event_name) in (any::<i32>(), text(), text()),
        (body, attributes) in (option::of(any_value()), attributes()),
        (dropped_attributes_count, flags) in any::<(u32, u32)>(),
        (trace_id, span_id) in (optional_id(16), optional_id(8)),
    ) -> LogRecord {
        LogRecord {
            time_unix_nano, observed_time_unix_nano, severity_number, severity_text, body, attributes,
            dropped_attributes_count, flags, trace_id, span_id, event_name,
        }
    }
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    option::of((attributes(), any::<u32>(), vec(entity_ref(), 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    ))
}

fn entity_ref() -> impl Strategy<Value = EntityRef> {
    (text(), text(), vec(text(), 0..3)).prop_map(|(schema_url, r#type, id_keys)| EntityRef {
        schema_url,
        r#type,
        description_keys: id_keys.clone(),
        id_keys,
    })
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    option::of((text(), text(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    ))
}

fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (scope(), vec(span(), 0..3), text()).prop_map(|(scope, spans, schema_url)| ScopeSpans {
        scope,
        spans,
        schema_url,
    });
    let resource_spans = (resource(), vec(scope_spans, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs = (scope(), vec(log_record(), 0..3), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (resource(), vec(scope_logs, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

fn check_any_order(signal: Signal, body: &[u8], seed: u64) {
    assert_equal(signal, body);
    let scrambled = scramble(signal, body, &mut Random(seed));
    assert_eq!(by_prost(signal, &scrambled), by_prost(signal, body), "scrambling keeps the meaning");
    assert_equal(signal, &scrambled);
}

/// Any number of bytes set to anything.
fn damage(mut body: Vec<u8>, hits: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (place, byte) in hits {
        if !body.is_empty() {
            let place = place.index(body.len());
            body[place] = *byte;
        }
    }
    body
}

proptest! {
    #[test]
    fn traces_read_the_same_in_any_order(request in traces(), seed in 1u64..) {
        check_any_order(Signal::Traces, &request.encode_to_vec(), seed);
    }

    #[test]
    fn logs_read_the_same_in_any_order(request in logs(), seed in 1u64..) {
        check_any_order(Signal::Logs, &request.encode_to_vec(), seed);
    }

    #[test]
    fn damaged_requests_are_read_as_prost_reads_them(
        traces in traces(),
        logs in logs(),
        hits in vec(any::<(prop::sample::Index, u8)>(), 1..6),
    ) {
        assert_agree(Signal::Traces, &damage(traces.encode_to_vec(), &hits));
        assert_agree(Signal::Logs, &damage(logs.encode_to_vec(), &hits));
    }

    #[test]
    fn noise_is_read_as_prost_reads_it(noise in vec(any::<u8>(), 0..200)) {
        assert_agree(Signal::Traces, &noise);
        assert_agree(Signal::Logs, &noise);
    }

    #[test]
    fn json_carries_all_of_a_request(mut traces in traces(), mut logs in logs()) {
        for span in traces.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
            span.kind = span.kind.rem_euclid(6);
        }
        for record in logs.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).flat_map(|s| &mut s.log_records) {
            record.severity_number = record.severity_number.rem_euclid(25);
        }
        let json = serde_json::to_vec(&traces).expect("serializable");
        let body = traces_json_to_protobuf(&json).expect("valid");
        prop_assert_eq!(by_prost(Signal::Traces, &body), by_prost(Signal::Traces, &traces.encode_to_vec()));
        let json = serde_json::to_vec(&logs).expect("serializable");
        let body = logs_json_to_protobuf(&json).expect("valid");
        prop_assert_eq!(by_prost(Signal::Logs, &body), by_prost(Signal::Logs, &logs.encode_to_vec()));
    }
}
