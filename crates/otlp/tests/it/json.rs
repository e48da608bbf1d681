//! OTLP/JSON as senders write it, well and less well.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::value::RawValue;
use tracewell_otlp::json::{Unreadable, convert_logs, convert_traces, logs_json_to_protobuf, traces_json_to_protobuf};
use tracewell_otlp::{Decoder, Limits, index_logs, index_traces};

use crate::captures::data;
use crate::oracle::{Signal, by_prost};

#[derive(serde::Deserialize)]
struct Capture<'a> {
    #[serde(borrow)]
    traces: &'a RawValue,
    #[serde(borrow)]
    logs: &'a RawValue,
}

#[test]
fn captured_json_is_the_captured_protobuf() {
    for name in ["google_adk", "otel_genai"] {
        let json = data(&format!("{name}.json"));
        let capture: Capture<'_> = serde_json::from_slice(&json).expect("a capture");
        let traces = traces_json_to_protobuf(capture.traces.get().as_bytes()).expect("valid");
        assert_eq!(by_prost(Signal::Traces, &traces), by_prost(Signal::Traces, &data(&format!("{name}.traces.pb"))));
        let logs = logs_json_to_protobuf(capture.logs.get().as_bytes()).expect("valid");
        assert_eq!(by_prost(Signal::Logs, &logs), by_prost(Signal::Logs, &data(&format!("{name}.logs.pb"))));
    }
}

#[test]
fn a_request_of_the_javascript_sdk_is_read() {
    let body = traces_json_to_protobuf(&data("vercel.traces.json")).expect("valid");
    assert_eq!(by_prost(Signal::Traces, &body), by_prost(Signal::Traces, &data("vercel.traces.pb")));
}

/// The span with these members.
fn span(members: &str) -> Span {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
    let body = traces_json_to_protobuf(json.as_bytes()).expect("valid");
    let request = ExportTraceServiceRequest::decode(&*body).expect("valid");
    request.resource_spans[0].scope_spans[0].spans[0].clone()
}

fn value(member: &str) -> Option<Value> {
    let span = span(&format!(r#""attributes":[{{"key":"k","value":{{{member}}}}}]"#));
    span.attributes[0].value.clone().expect("a value").value
}

fn error(json: &str) -> String {
    traces_json_to_protobuf(json.as_bytes()).expect_err("not valid").to_string()
}

#[test]
fn requests_may_be_empty() {
    for json in ["{}", r#"{"resourceSpans":[]}"#, r#"{"resourceSpans":null}"#, r#" {"unknown":[1,{"a":[]}]} "#] {
        assert_eq!(traces_json_to_protobuf(json.as_bytes()).expect("valid"), b"");
    }
}

#[test]
fn integers_come_as_strings_and_as_numbers() {
    assert_eq!(value(r#""intValue":"-11""#), Some(Value::IntValue(-11)));
    assert_eq!(value(r#""intValue":11"#), Some(Value::IntValue(11)));
    assert_eq!(value(r#""intValue":"9223372036854775807""#), Some(Value::IntValue(i64::MAX)));
    assert_eq!(value(r#""intValue":1e3"#), Some(Value::IntValue(1000)));
    assert_eq!(span(r#""startTimeUnixNano":1795241980947826378"#).start_time_unix_nano, 1795241980947826378);
    assert_eq!(span(r#""startTimeUnixNano":"1795241980947826378""#).start_time_unix_nano, 1795241980947826378);
    assert_eq!(span(r#""flags":257,"droppedLinksCount":3"#).flags, 257);
}

#[test]
fn doubles_keep_every_digit() {
    assert_eq!(value(r#""doubleValue":0.30000000000000004"#), Some(Value::DoubleValue(0.1 + 0.2)));
    assert_eq!(value(r#""doubleValue":7"#), Some(Value::DoubleValue(7.0)));
    assert_eq!(value(r#""doubleValue":"-Infinity""#), Some(Value::DoubleValue(f64::NEG_INFINITY)));
    assert!(matches!(value(r#""doubleValue":"NaN""#), Some(Value::DoubleValue(value)) if value.is_nan()));
}

#[test]
fn enums_come_as_numbers_and_as_names() {
    let named = span(r#""kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR","message":"no"}"#);
    assert_eq!(named, span(r#""kind":3,"status":{"code":2,"message":"no"}"#));
    assert_eq!(named.kind, 3);
}

#[test]
fn ids_are_hex_of_any_case() {
    let id = span(r#""traceId":"5B8efff798038103d269b633813fc60C""#).trace_id;
    assert_eq!(hex::encode(id), "5b8efff798038103d269b633813fc60c");
    assert_eq!(span(r#""traceId":"","parentSpanId":null"#), Span::default());
}

#[test]
fn bytes_are_base64_of_either_alphabet() {
    for text in ["+/8=", "+/8", "-_8=", "-_8", r"+\/8="] {
        assert_eq!(value(&format!(r#""bytesValue":"{text}""#)), Some(Value::BytesValue(vec![0xfb, 0xff])));
    }
}

#[test]
fn null_and_missing_members_are_defaults() {
    let nulls = r#""name":null,"kind":null,"attributes":null,"status":null,"flags":null,"startTimeUnixNano":null"#;
    assert_eq!(span(nulls), Span::default());
    assert_eq!(value(""), None);
    assert_eq!(value(r#""stringValue":null"#), None);
    assert_eq!(value(r#""arrayValue":{}"#), Some(Value::ArrayValue(Default::default())));
    assert_eq!(value(r#""kvlistValue":{"values":null}"#), Some(Value::KvlistValue(Default::default())));
    let Some(Value::ArrayValue(array)) = value(r#""arrayValue":{"values":[null,{"boolValue":true}]}"#) else {
        panic!("an array");
    };
    assert_eq!(array.values.len(), 2, "a null element keeps its place");
}

#[test]
fn unpaired_surrogates_are_replaced() {
    let text = |json: &str| Some(Value::StringValue(json.to_owned()));
    assert_eq!(value(r#""stringValue":"cut \ud83d""#), text("cut \u{fffd}"));
    assert_eq!(value(r#""stringValue":"\ude00\ud83d\ude00\ud83dé\n""#), text("\u{fffd}😀\u{fffd}é\n"));
}

#[test]
fn errors_name_the_place() {
    assert_eq!(
        error("{\n  \"resourceSpans\": [}"),
        "not a valid otlp json request: expected value at line 2 column 21"
    );
    for (members, expected) in [
        (r#""traceId":"xyz""#, "expected a hex id: Odd number of digits at line 1 column 60"),
        (r#""traceId":7"#, "invalid type: integer `7`, expected a string at line 1 column"),
        (r#""kind":"CLIENT""#, "invalid value: `\"CLIENT\"`, expected a number or name of the enum at line 1 column"),
        (r#""flags":4294967296"#, "invalid value: `4294967296`, expected an unsigned 32-bit integer at line 1"),
        (r#""startTimeUnixNano":-1"#, "invalid value: `-1`, expected an unsigned 64-bit integer at line 1"),
        (r#""attributes":{}"#, "invalid type: map, expected an array at line 1"),
        (r#""status":[]"#, "invalid type: sequence, expected an object at line 1"),
    ] {
        let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
        let error = error(&json);
        assert!(error.contains(expected), "{error}");
    }
    assert!(error("").contains("EOF"));
    assert!(error("{} {}").contains("trailing characters at line 1 column 4"));
    let not_utf8 = traces_json_to_protobuf(b"{\n\"a\": \"\xff\"}").expect_err("not valid");
    assert_eq!(not_utf8.to_string(), "not valid utf-8 at line 2 column 7");
}

#[test]
fn deep_nesting_is_an_error() {
    let depth = 100_000;
    let value = r#"{"arrayValue":{"values":["#.repeat(depth) + &"]}}".repeat(depth);
    let json = |value: &str| {
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"value":{value}}}]}}]}}]}}]}}"#)
    };
    assert!(error(&json(&value)).contains("recursion limit exceeded"));
    let unknown = format!(r#"{{"unknown":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(traces_json_to_protobuf(unknown.as_bytes()).is_ok(), "ignored without recursion");
    let number = format!(r#"{{"intValue":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(error(&json(&number)).contains("expected a signed 64-bit integer"));
}

#[test]
fn what_is_wrong_in_one_span_costs_no_other() {
    let bad = [
        r#""traceId":"0g""#,
        r#""startTimeUnixNano":"18446744073709551616""#,
        r#""attributes":[{"key":"k","value":{"bytesValue":"*"}}]"#,
        r#""attributes":{}"#,
    ];
    let good = r#"{"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b","name":"good"}"#;
    let spans = bad.map(|members| format!("{{{members}}},{good}")).join(",");
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}},{{"scopeSpans":[{{"spans":[5,null]}}]}}]}}"#
    );
    let converted = convert_traces(json.as_bytes()).expect("readable around the spans");
    let index = index_traces(&converted.body).expect("valid");
    let mut decoder = Decoder::new(Limits::default());
    let names: Vec<Option<String>> = index
        .spans()
        .iter()
        .map(|span| decoder.decode_span(span.bytes(&converted.body)).ok().map(|span| span.name.to_owned()))
        .collect();
    let good = || Some("good".to_owned());
    assert_eq!(names, [None, good(), None, good(), None, good(), None, good(), None, None]);
    let told: Vec<(u64, &str)> =
        converted.unreadable.iter().map(|Unreadable { position, reason }| (*position, reason.as_str())).collect();
    assert_eq!(told[0], (0, "expected a hex id: Invalid character 'g' at position 1 at line 1 column 16 of its json"));
    assert_eq!(told.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);

    let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"x"},{"eventName":"good"}]}]}]}"#;
    let converted = convert_logs(json).expect("readable around the records");
    let index = index_logs(&converted.body).expect("valid");
    let mut decoder = Decoder::new(Limits::default());
    let names: Vec<Option<String>> = index
        .records()
        .iter()
        .map(|record| decoder.decode_log(record.bytes(&converted.body)).ok().map(|record| record.event_name.to_owned()))
        .collect();
    assert_eq!(names, [None, good()]);
    // What is around the spans costs all of them, and so does text that is no JSON.
    for json in [r#"{"resourceSpans":[{"resource":{"attributes":5},"scopeSpans":[]}]}"#, r#"{"resourceSpans":["#] {
        assert_eq!(convert_traces(json.as_bytes()).expect_err("not valid").to_string(), error(json));
    }
}
