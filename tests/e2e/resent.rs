//! What clients send again counts once, before it is stored, in one file, and after compaction.

use std::path::Path;
use std::process::Command;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde_json::{Value, json};

use crate::server::{BINARY, Server, sql};
use crate::spans::{now, request, span, text};

/// The same rows in other bytes: a client that collects its batches anew.
fn again(request: &[u8]) -> Vec<u8> {
    let resource = ResourceLogs { resource: Some(Resource::default()), ..ResourceLogs::default() };
    // An export of logs and one of spans have the same form as far as that.
    let nothing = ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec();
    [request, &nothing].concat()
}

fn capture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name);
    std::fs::read(path).unwrap()
}

fn compact(data: &Path) {
    let done = Command::new(BINARY).args(["compact", "--data", data.to_str().unwrap()]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_stay_the_same_when_their_spans_and_records_are_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h", "--no-maintenance"]).await;
    let requests = [
        // Messages in the bodies of events, and in attributes of the span.
        ("/v1/traces", capture("otel-openai-v2/run__content.traces.pb")),
        ("/v1/logs", capture("otel-openai-v2/run__content.logs.pb")),
        ("/v1/traces", capture("otel-genai/run__span_and_event.traces.pb")),
        ("/v1/logs", capture("otel-genai/run__span_and_event.logs.pb")),
    ];
    for (path, body) in &requests {
        server.takes(path, body.clone()).await;
    }
    let query = "SELECT * FROM messages ORDER BY trace_id, span_id, direction, position";
    let once = server.sql(query);
    let of_records = once.iter().filter(|message| message["source"] == "body").count();
    assert!(of_records > 0 && of_records < once.len(), "{of_records} of {}", once.len());
    let spans = server.sql("SELECT count(*) AS n FROM spans");
    for (path, body) in &requests {
        server.takes(path, again(body)).await;
    }
    let doubled = server.sql("SELECT count(*) AS n FROM spans");
    assert_eq!(doubled[0]["n"].as_i64().unwrap(), 2 * spans[0]["n"].as_i64().unwrap());
    assert_eq!(once, server.sql(query));
    server.stop();
    assert_eq!(once, sql(&data, query));
    compact(&data);
    assert_eq!(spans, sql(&data, "SELECT count(*) AS n FROM spans"));
    assert_eq!(once, sql(&data, query));
}

/// The result of an evaluation as an event.
fn evaluation(score: f64) -> LogRecord {
    let value = Some(AnyValue { value: Some(any_value::Value::DoubleValue(score)) });
    let score = KeyValue { key: "gen_ai.evaluation.score.value".into(), value, ..KeyValue::default() };
    LogRecord {
        time_unix_nano: now(),
        trace_id: 1_u128.to_be_bytes().to_vec(),
        span_id: 1_u64.to_be_bytes().to_vec(),
        event_name: "gen_ai.evaluation.result".into(),
        attributes: vec![text("gen_ai.evaluation.name", "Relevance"), score],
        ..LogRecord::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_sent_again_weighs_once_in_evaluations_and_is_one_row_after_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h", "--no-maintenance", "--shards", "1"]).await;
    let export = |log_records: Vec<LogRecord>| {
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        ExportLogsServiceRequest { resource_logs }.encode_to_vec()
    };
    let (bad, good) = (evaluation(0.25), evaluation(0.75));
    for batch in [vec![bad.clone()], vec![bad, good]] {
        server.takes("/v1/logs", export(batch)).await;
    }
    let mean = "SELECT count(*) AS scores, avg(value) AS mean FROM evaluations";
    let expected: Vec<Value> = vec![json!({"scores": 2, "mean": 0.5})];
    assert_eq!(server.sql(mean), expected);
    server.stop();
    let rows = || sql(&data, "SELECT count(*) AS n FROM scores")[0]["n"].clone();
    assert_eq!((sql(&data, mean), rows()), (expected.clone(), json!(3)));
    compact(&data);
    assert_eq!((sql(&data, mean), rows()), (expected, json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_span_give_one_answer_in_any_order_before_and_after_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let first = span(1, 1, "chat m");
    // In milliseconds. Two are equally long; the last has nothing that a longer one lacks.
    let versions = [
        (9, vec![text("gen_ai.request.model", "m")]),
        (9, vec![text("gen_ai.conversation.id", "talk"), text("gen_ai.request.model", "m")]),
        (5, vec![text("gen_ai.response.model", "m-1"), text("gen_ai.response.id", "answer")]),
        (3, vec![text("gen_ai.response.model", "m-0")]),
    ];
    let requests = versions.map(|(milliseconds, facts)| {
        let mut version = first.clone();
        version.end_time_unix_nano = version.start_time_unix_nano + milliseconds * 1_000_000;
        version.attributes = [vec![text("gen_ai.operation.name", "chat")], facts].concat();
        request(vec![version])
    });
    let told = "SELECT duration_ns, request_model, response_model, response_id, conversation_id FROM llm_calls";
    let expected = json!([{
        "duration_ns": 9_000_000, "request_model": "m", "response_model": "m-1", "response_id": "answer",
        "conversation_id": "talk",
    }]);
    let mut kept = Vec::new();
    for (number, order) in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]].into_iter().enumerate() {
        let data = folder.path().join(number.to_string());
        let server = Server::start(&data, &["--commit-interval", "1h", "--no-maintenance"]).await;
        for version in order {
            server.takes("/v1/traces", requests[version].clone()).await;
        }
        assert_eq!(Value::from(server.sql(told)), expected, "{order:?}");
        server.stop();
        let whole = ["SELECT * FROM llm_calls", "SELECT * FROM runs"];
        let before = whole.map(|query| sql(&data, query));
        compact(&data);
        assert_eq!(sql(&data, "SELECT count(*) AS n FROM spans")[0]["n"], 3);
        assert_eq!(before, whole.map(|query| sql(&data, query)), "{order:?}");
        kept.push(sql(&data, "SELECT duration_ns, conversation_id, attributes FROM spans ORDER BY 1, 2"));
    }
    assert!(kept.iter().all(|of_order| *of_order == kept[0]), "{kept:?}");
}
