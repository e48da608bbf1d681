use arrow::array::AsArray;
use arrow::datatypes::DataType;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::*;

const NOW: i64 = 1_795_219_200_000_000_000;

#[test]
fn a_large_attribute_of_a_span_of_no_dialect_is_a_content_that_the_span_refers_to() {
    let large = "x".repeat(5_000);
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        name: "work".into(),
        start_time_unix_nano: NOW as u64,
        end_time_unix_nano: NOW as u64,
        attributes: vec![attribute("app.body", &large), attribute("app.size", "5000")],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();

    let mut rows = Rows::new(Limits::default());
    rows.traces(&request, Receipt { seq: 1, received_at: NOW, tenant: "default" }).expect("a well-formed request");
    let taken = rows.take();
    let of_table = |table: &str| &taken.iter().find(|(name, ..)| *name == table).expect("it has a row").2;
    let text = |rows: &RecordBatch, name: &str| {
        let column = rows.column_by_name(name).expect("a column");
        arrow::compute::cast(column, &DataType::Utf8).expect("text").as_string::<i32>().value(0).to_owned()
    };
    let (contents, spans) = (of_table("contents"), of_table("spans"));
    assert_eq!((contents.num_rows(), text(contents, "content")), (1, large));
    assert_eq!(text(spans, "dialect"), "plain");
    let kept = spans.column_by_name("attributes").expect("a column").as_map().keys().as_string::<i32>();
    assert_eq!(kept.iter().flatten().collect::<Vec<_>>(), ["app.size"]);
    let references = spans.column_by_name("payload_refs").expect("a column").as_list::<i32>().value(0);
    let told = |member: &str| {
        let members = references.as_struct().column_by_name(member).expect("a member").as_string::<i32>();
        members.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((told("source"), told("hash")), (vec!["app.body".to_owned()], vec![text(contents, "hash")]));
}
