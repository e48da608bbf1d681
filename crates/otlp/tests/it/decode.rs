//! The rules of ids, limits and merging, one by one.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tracewell_otlp::{Decoder, Limits, MalformedRequest, Refusal, index_logs, index_traces};

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, key_strindex: 0 }
}

fn span() -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..Default::default() }
}

fn refusal(span: &Span) -> Option<Refusal> {
    refusal_within(Limits::default(), span)
}

fn refusal_within(limits: Limits, span: &Span) -> Option<Refusal> {
    Decoder::new(limits).decode_span(&span.encode_to_vec()).err()
}

fn log_refusal(record: &LogRecord) -> Option<Refusal> {
    Decoder::new(Limits::default()).decode_log(&record.encode_to_vec()).err()
}

#[test]
fn a_span_needs_ids_of_full_length_that_are_not_zero() {
    assert_eq!(refusal(&span()), None);
    assert_eq!(refusal(&Span { trace_id: vec![1; 15], ..span() }), Some(Refusal::TraceIdLength(15)));
    assert_eq!(refusal(&Span { trace_id: vec![], ..span() }), Some(Refusal::TraceIdLength(0)));
    assert_eq!(refusal(&Span { trace_id: vec![0; 16], ..span() }), Some(Refusal::ZeroTraceId));
    assert_eq!(refusal(&Span { span_id: vec![1; 16], ..span() }), Some(Refusal::SpanIdLength(16)));
    assert_eq!(refusal(&Span { span_id: vec![0; 8], ..span() }), Some(Refusal::ZeroSpanId));
    assert_eq!(refusal(&Span { parent_span_id: vec![1; 7], ..span() }), Some(Refusal::ParentIdLength(7)));
    assert_eq!(Refusal::TraceIdLength(15).to_string(), "trace_id has 15 bytes, 16 are needed");
}

#[test]
fn a_parent_of_zeros_is_none() {
    for (parent_span_id, expected) in [(vec![], None), (vec![0; 8], None), (vec![3; 8], Some([3; 8]))] {
        let body = Span { parent_span_id, ..span() }.encode_to_vec();
        let mut decoder = Decoder::new(Limits::default());
        assert_eq!(decoder.decode_span(&body).expect("valid").parent_span_id, expected);
    }
}

#[test]
fn a_link_to_nowhere_is_kept_and_a_cut_id_is_not() {
    let link = Link { attributes: vec![attribute("why", "because")], ..Default::default() };
    let body = Span { links: vec![link.clone()], ..span() }.encode_to_vec();
    let mut decoder = Decoder::new(Limits::default());
    let link_read = decoder.decode_span(&body).expect("valid").links[0];
    assert_eq!((link_read.trace_id, link_read.span_id), (None, None));
    assert_eq!(link_read.attributes.iter().next().expect("one").value.as_str(), Some("because"));
    let cut = Link { trace_id: vec![1; 8], ..link };
    assert_eq!(refusal(&Span { links: vec![cut], ..span() }), Some(Refusal::LinkIdLength(8)));
}

#[test]
fn a_record_may_have_no_ids_but_none_of_wrong_length() {
    let record = LogRecord::default();
    assert_eq!(log_refusal(&record), None);
    assert_eq!(log_refusal(&LogRecord { trace_id: vec![0; 16], span_id: vec![0; 8], ..record.clone() }), None);
    assert_eq!(log_refusal(&LogRecord { trace_id: vec![1], ..record.clone() }), Some(Refusal::TraceIdLength(1)));
    assert_eq!(log_refusal(&LogRecord { span_id: vec![1], ..record }), Some(Refusal::SpanIdLength(1)));
}

#[test]
fn times_and_duplicate_keys_are_left_to_the_caller() {
    let attributes = vec![attribute("k", "first"), attribute("k", "last")];
    let body = Span { start_time_unix_nano: 2, end_time_unix_nano: 1, attributes, ..span() }.encode_to_vec();
    let mut decoder = Decoder::new(Limits::default());
    let span = decoder.decode_span(&body).expect("valid");
    assert!(span.end_unix_nano < span.start_unix_nano);
    assert_eq!(span.attributes.len(), 2);
}

#[test]
fn more_elements_than_the_limits_are_refused() {
    let limits = Limits { max_depth: 1, max_attributes: 2, max_events: 2, max_links: 2 };
    let three = vec![attribute("k", "v"); 3];
    let two = three[..2].to_vec();
    let too_many = |field| Some(Refusal::TooMany { field, limit: 2 });
    assert_eq!(refusal_within(limits, &Span { attributes: two, ..span() }), None);
    assert_eq!(refusal_within(limits, &Span { attributes: three.clone(), ..span() }), too_many("attributes"));
    assert_eq!(refusal_within(limits, &Span { events: vec![Event::default(); 3], ..span() }), too_many("events"));
    assert_eq!(refusal_within(limits, &Span { links: vec![Link::default(); 3], ..span() }), too_many("links"));
    let event = Event { attributes: three.clone(), ..Default::default() };
    assert_eq!(refusal_within(limits, &Span { events: vec![event], ..span() }), too_many("attributes of an event"));
    let link = Link { attributes: three, ..Default::default() };
    assert_eq!(refusal_within(limits, &Span { links: vec![link], ..span() }), too_many("attributes of a link"));
    assert_eq!(too_many("events").expect("some").to_string(), "more than 2 events");
}

#[test]
fn a_broken_span_leaves_its_neighbours_readable() {
    let mut broken = Span { name: "broken".to_owned(), ..span() }.encode_to_vec();
    let name = broken.windows(6).position(|window| window == b"broken").expect("there");
    broken[name] = 0xff;
    let good = Span { name: "good".to_owned(), ..span() }.encode_to_vec();
    let mut scope = Vec::new();
    for span in [&good, &broken, &good] {
        prost::encoding::bytes::encode(2, span, &mut scope);
    }
    let mut resource = Vec::new();
    prost::encoding::bytes::encode(2, &scope, &mut resource);
    let mut body = Vec::new();
    prost::encoding::bytes::encode(1, &resource, &mut body);

    let index = index_traces(&body).expect("the framing is sound");
    let mut decoder = Decoder::new(Limits::default());
    let names: Vec<_> = index
        .spans()
        .iter()
        .map(|entry| decoder.decode_span(entry.bytes(&body)).map(|span| span.name.to_owned()))
        .collect();
    assert_eq!(names, [Ok("good".to_owned()), Err(Refusal::InvalidUtf8 { field: "Span.name" }), Ok("good".to_owned())]);
    assert!(matches!(index_traces(&body[..body.len() - 1]), Err(MalformedRequest::Wire(_))));
    assert!(index_logs(&body).is_ok(), "traces and logs share their upper levels");
}

#[test]
fn a_resource_in_pieces_is_merged() {
    let piece = |key: &str, dropped| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![attribute(key, "v")],
            dropped_attributes_count: dropped,
            ..Default::default()
        }),
        schema_url: key.to_owned(),
        scope_spans: vec![ScopeSpans::default()],
    };
    // Protobuf: concatenating encodings merges the messages.
    let merged = [piece("a", 1).encode_to_vec(), piece("b", 2).encode_to_vec()].concat();
    let mut body = Vec::new();
    prost::encoding::bytes::encode(1, &merged, &mut body);
    assert_eq!(ExportTraceServiceRequest::decode(&*body).expect("valid").resource_spans.len(), 1);

    let index = index_traces(&body).expect("valid");
    assert_eq!((index.resources().len(), index.scopes().len()), (1, 2));
    let mut attributes = Vec::new();
    let decoder = Decoder::new(Limits::default());
    let resource = decoder.decode_resource(&body, &index.resources()[0], &mut attributes).expect("valid");
    let keys: Vec<_> = resource.attributes.iter().map(|attribute| attribute.key).collect();
    assert_eq!((keys, resource.dropped_attributes_count, resource.schema_url), (vec!["a", "b"], 2, "b"));
}
