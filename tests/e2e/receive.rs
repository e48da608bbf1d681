//! What the receivers answer, and what is seen afterwards.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use prost::Message;

use crate::server::{PROTOBUF, Server, client};
use crate::spans::{request, span, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_span_is_visible_as_soon_as_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let mut grpc = TraceServiceClient::connect(server.grpc.clone()).await.unwrap();
    let export = ExportTraceServiceRequest::decode(request(vec![span(1, 1, "first")]).as_slice()).unwrap();
    let answer = grpc.export(export).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    let rows = server.sql("SELECT trace_id, span_id, name, service, kind, span_kind FROM spans");
    assert_eq!(
        serde_json::Value::from(rows),
        serde_json::json!([{
            "trace_id": "00000000000000000000000000000001", "span_id": "0000000000000001",
            "name": "first", "service": "shop", "kind": "http", "span_kind": "client"
        }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_twice_is_stored_once_and_rows_agree_before_and_after_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    let body = request(vec![span(1, 1, "a"), span(1, 2, "b")]);
    for _ in 0..3 {
        server.takes("/v1/traces", body.clone()).await;
    }
    let query = "SELECT * FROM spans ORDER BY span_id";
    let fresh = server.sql(query);
    assert_eq!(fresh.len(), 2);
    server.stop();
    let stored = crate::server::sql(&data, query);
    assert_eq!(fresh, stored);
    // The retry is recognised after a restart too.
    let server = Server::start(&data, &[]).await;
    server.takes("/v1/traces", body).await;
    assert_eq!(server.sql(query), stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_can_never_be_accepted_are_named_and_the_others_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let mut short = span(1, 2, "short id");
    short.trace_id.truncate(15);
    let mut backwards = span(1, 3, "ends before it starts");
    backwards.end_time_unix_nano = backwards.start_time_unix_nano - 5;
    let body = request(vec![span(0, 1, "zero id"), short, backwards]);
    let answer = server.post("/v1/traces", PROTOBUF, body).await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = ExportTraceServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("all zeros"), "{}", partial.error_message);
    assert!(partial.error_message.contains("15 bytes"), "{}", partial.error_message);
    let rows = server.sql("SELECT name, duration_ns, flags FROM spans");
    assert_eq!(
        serde_json::Value::from(rows),
        serde_json::json!([{ "name": "ends before it starts", "duration_ns": -5, "flags": ["end_before_start"] }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_of_json_that_cannot_be_read_costs_no_other_and_a_retry_is_told_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"not hex","spanId":"0000000000000001","name":"bad id"},
        {"traceId":"0000000000000000000000000000000a","spanId":"0000000000000002","name":"good"},
        {"traceId":"0000000000000000000000000000000a","spanId":"0000","name":"short id"}]}]}]}"#;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = server.post("/v1/traces", "application/json", json.into()).await.unwrap();
        assert_eq!(answer.status(), 200);
        answers.push(serde_json::from_slice::<serde_json::Value>(&answer.bytes().await.unwrap()).unwrap());
    }
    let partial = &answers[0]["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "2");
    let message = partial["errorMessage"].as_str().unwrap();
    assert!(message.contains("number 0: expected a hex id"), "{message}");
    assert!(message.contains("number 2: span_id has 2 bytes"), "{message}");
    // What a client sends again because it did not get the first answer.
    assert_eq!(answers[1], answers[0]);
    assert_eq!(server.sql("SELECT name FROM spans"), [serde_json::json!({ "name": "good" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_otherwise_than_sent_is_flagged() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let mut endless = span(1, 1, "endless");
    endless.end_time_unix_nano = u64::MAX;
    let mut event = span(1, 2, "event");
    event.events = vec![Event { time_unix_nano: u64::MAX, name: "late".into(), ..Event::default() }];
    let mut odd = span(1, 3, "odd");
    odd.kind = 6;
    odd.status = Some(Status { code: 3, ..Status::default() });
    let mut twice = span(1, 4, "twice");
    twice.attributes = vec![text("key", "first"), text("key", "last")];
    twice.events = vec![Event { attributes: twice.attributes.clone(), ..Event::default() }];
    let plain = span(1, 5, "plain");
    server.takes("/v1/traces", request(vec![endless, event, odd, twice, plain])).await;
    let rows = server.sql(
        "SELECT name, flags, attributes['key'] AS key, events[1]['time_unix_nano'] AS event_time, \
         cardinality(events[1]['attributes']) AS event_keys FROM spans ORDER BY span_id",
    );
    let last = i64::MAX;
    assert_eq!(
        serde_json::Value::from(rows),
        serde_json::json!([
            { "name": "endless", "flags": ["time_out_of_range"], "key": null, "event_time": null, "event_keys": null },
            { "name": "event", "flags": ["time_out_of_range"], "key": null, "event_time": last, "event_keys": 0 },
            { "name": "odd", "flags": ["unknown_status", "unknown_span_kind"], "key": null, "event_time": null, "event_keys": null },
            { "name": "twice", "flags": ["repeated_key"], "key": "last", "event_time": 0, "event_keys": 1 },
            { "name": "plain", "flags": null, "key": null, "event_time": null, "event_keys": null },
        ])
    );

    // The map and the service are of one mind.
    let mut export = ExportTraceServiceRequest::decode(request(vec![span(2, 1, "two services")]).as_slice()).unwrap();
    let resource = export.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes.push(text("service.name", "seed-shop"));
    server.takes("/v1/traces", export.encode_to_vec()).await;
    let rows = server.sql(
        "SELECT service, resource_attributes['service.name'] AS stated, cardinality(resource_attributes) AS keys, flags \
         FROM spans WHERE name = 'two services'",
    );
    let expected =
        serde_json::json!({ "service": "seed-shop", "stated": "seed-shop", "keys": 1, "flags": ["repeated_key"] });
    assert_eq!(rows, [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_get_the_right_status_and_the_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]).await;
    let status = async |path: &str, content_type: &str, encoding: Option<&str>, body: Vec<u8>| {
        let mut request =
            client().post(format!("{}{path}", server.http)).header("content-type", content_type).body(body);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("/v1/traces", "text/plain", None, vec![]).await, 415);
    assert_eq!(status("/v1/traces", PROTOBUF, Some("br"), vec![]).await, 415);
    assert_eq!(status("/v1/traces", PROTOBUF, None, vec![0xff; 9]).await, 400);
    assert_eq!(status("/v1/traces", PROTOBUF, Some("gzip"), b"not gzip".to_vec()).await, 400);
    assert_eq!(status("/v1/traces", "application/json", None, b"{".to_vec()).await, 400);
    assert_eq!(status("/v1/traces", "application/json", None, b"{}".to_vec()).await, 200);
    assert_eq!(status("/v1/traces", PROTOBUF, None, vec![]).await, 200);
    assert_eq!(status("/v1/nothing", PROTOBUF, None, vec![]).await, 404);
    for (path, expected, code) in [("/v1/nothing", 404, 5), ("/v1/traces", 405, 12)] {
        let answer = client().get(format!("{}{path}", server.http)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected);
        let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["code"], code);
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
    // 65 MiB of zeros in a few kilobytes.
    let bomb = zstd_of(&vec![0; 65 << 20]);
    assert!(bomb.len() < 100_000);
    assert_eq!(status("/v1/traces", PROTOBUF, Some("zstd"), bomb).await, 413);
    assert_eq!(status("/v1/traces", PROTOBUF, None, request(vec![span(1, 1, "still alive")])).await, 200);
    assert_eq!(server.sql("SELECT name FROM spans").len(), 1);
}

fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}
