//! Log records: what is understood of them, what they tell of failures, and that they are kept as they were sent.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use serde_json::{Value, json};

use crate::records::{Record, claude, record, request, within};
use crate::sent::{Sent, base, span};
use crate::server::{Server, sql};
use crate::settled::run;
use crate::spans::text;

const SCOPE: &str = "opentelemetry.instrumentation.genai.openai";

/// A record whose event has a field of its own, as newer SDKs send it.
fn event(name: &str, millis: u64, attributes: &[(&str, &str)]) -> Record {
    let (service, scope, mut sent) = record("shop", SCOPE, name, millis, attributes);
    sent.attributes.retain(|attribute| attribute.key != "event.name");
    (sent.event_name, sent.body) = (name.to_owned(), None);
    (service, scope, sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn mapping_coverage_tells_of_log_records_by_their_event() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let result = [("tool_name", "Bash"), ("tool_input", "{\"a\":1}"), ("shop.shelf", "7")];
    let sent = claude("claude_code.tool_result", 0, &result);
    let details =
        [("gen_ai.operation.name", "chat"), ("gen_ai.output.messages", "[{\"role\":\"assist"), ("shop.shelf", "7")];
    for record in [sent.clone(), sent, event("gen_ai.client.inference.operation.details", 5, &details)] {
        server.takes("/v1/logs", request(record)).await;
    }
    server.takes("/v1/logs", request(record("shop", "app", "order.placed", 9, &[("shop.shelf", "7")]))).await;
    let query = "SELECT dialect, event_name, key, state, spans, unreadable_spans FROM mapping_coverage
        WHERE key NOT LIKE 'user.%' AND key <> 'session.id' ORDER BY dialect, event_name, key";
    let row = |dialect: &str, event: &str, key: &str, state: &str, unreadable: u64| json!({"dialect": dialect, "event_name": event, "key": key, "state": state, "spans": 1, "unreadable_spans": unreadable});
    const DETAILS: &str = "gen_ai.client.inference.operation.details";
    assert_eq!(
        Value::from(server.sql(query)),
        json!([
            row("claude-code", "tool_result", "event.name", "mapped", 0),
            row("claude-code", "tool_result", "shop.shelf", "kept", 0),
            row("claude-code", "tool_result", "tool_input", "mapped", 0),
            row("claude-code", "tool_result", "tool_name", "mapped", 0),
            row("otel-genai", DETAILS, "gen_ai.operation.name", "mapped", 0),
            row("otel-genai", DETAILS, "gen_ai.output.messages", "unreadable", 1),
            row("otel-genai", DETAILS, "shop.shelf", "kept", 0),
            row("plain", "order.placed", "event.name", "mapped", 0),
            row("plain", "order.placed", "shop.shelf", "kept", 0),
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_event_says_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let attributes = [
        ("exception.type", "openai.APIStatusError"),
        ("exception.message", "Error code: 503 - overloaded"),
        ("exception.stacktrace", "Traceback …"),
    ];
    let sent = within(event("gen_ai.client.operation.exception", 5, &attributes), 9, 2);
    server.takes("/v1/logs", request(sent)).await;
    let query = "SELECT error_type, error_class, status, status_message, operation, kind, record_id,
            attributes['exception.stacktrace'] AS stack
        FROM logs WHERE span_id = '0000000000000002'";
    assert_eq!(
        Value::from(server.sql(query)),
        json!([{"error_type": "openai.APIStatusError", "error_class": "server", "status": "error",
            "status_message": "Error code: 503 - overloaded", "operation": "gen_ai.client.operation.exception",
            "kind": null, "record_id": null, "stack": "Traceback …"}])
    );
    assert_eq!(Value::from(server.sql("SELECT count(*) AS n FROM llm_calls")), json!([{"n": 0}]), "it is no call");
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_of_logfire_is_a_score_of_the_span_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let feedback = span("shop", "logfire.feedback", (9, 3), 2, (5, 5))
        .with(text("logfire.span_type", "annotation"))
        .with(text("logfire.feedback.name", "tone"))
        .with(text("tone", "rude"))
        .with(text("logfire.feedback.comment", "no greeting"));
    server.takes("/v1/traces", feedback.request()).await;
    let query = "SELECT target, trace_id, span_id, name, label, explanation, source FROM evaluations";
    assert_eq!(
        Value::from(server.sql(query)),
        json!([{"target": "span", "trace_id": format!("{:032x}", 9), "span_id": format!("{:016x}", 2), "name": "tone",
            "label": "rude", "explanation": "no greeting", "source": "human"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_team_is_named_by_the_keys_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = folder.path().join("tracewell.toml");
    std::fs::write(&settings, "[ingest]\nteam_keys = ['cost-centre']\n").unwrap();
    let arguments = ["--config", settings.to_str().unwrap(), "--commit-interval", "1h"];
    let server = Server::start(&data, &arguments).await;
    // By the metadata of the span, and of the resource of a record that stands for a call.
    let of_span: Sent = span("shop", "langfuse-sdk", (9, 2), 0, (0, 9))
        .chat()
        .with(text("langfuse.trace.metadata.cost-centre", "42"))
        .with(text("langfuse.trace.metadata.team", "not asked for"));
    server.takes("/v1/traces", of_span.request()).await;
    let mut of_log =
        record("claude-code", "com.anthropic.claude_code.events", "claude_code.api_request", 5, &[("model", "m")]);
    of_log.2.time_unix_nano = base();
    let bytes = with_resource(of_log, "cost-centre", "43");
    server.takes("/v1/logs", bytes).await;
    let teams = "SELECT team FROM llm_calls ORDER BY team";
    let expected = json!([{"team": "42"}, {"team": "43"}]);
    assert_eq!(Value::from(server.sql(teams)), expected);
    server.kill();
    let config = settings.to_str().unwrap();
    let read = std::process::Command::new(crate::server::BINARY)
        .args(["sql", "--format", "json", "--config", config, "--data", data.to_str().unwrap(), teams])
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&read.stdout).unwrap(), expected, "from the write-ahead log alone");
    Server::start(&data, &arguments).await.stop();
    assert_eq!(Value::from(sql(&data, teams)), expected);
}

/// The request of a record whose resource has one more attribute.
fn with_resource(sent: Record, key: &str, value: &str) -> Vec<u8> {
    let mut decoded = ExportLogsServiceRequest::decode(request(sent).as_slice()).unwrap();
    decoded.resource_logs[0].resource.as_mut().unwrap().attributes.push(text(key, value));
    decoded.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_kept_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let (service, scope, mut sent) = event("shop.restocked", 0, &[]);
    // Five nanoseconds after 1970 began is not believed.
    (sent.time_unix_nano, sent.observed_time_unix_nano) = (5, base());
    (sent.severity_number, sent.severity_text) = (10, "notice".to_owned());
    (sent.flags, sent.dropped_attributes_count) = (1, 2);
    let mut export = ExportLogsServiceRequest::decode(request((service, scope, sent)).as_slice()).unwrap();
    let logs = &mut export.resource_logs[0].scope_logs[0];
    logs.schema_url = "https://opentelemetry.io/schemas/1.37.0".to_owned();
    logs.scope.as_mut().unwrap().attributes.push(text("build", "7"));
    let unobserved = LogRecord { time_unix_nano: base(), event_name: "shop.closed".to_owned(), ..LogRecord::default() };
    logs.log_records.push(unobserved);
    server.takes("/v1/logs", export.encode_to_vec()).await;
    let query =
        "SELECT event_name, sent_unix_nano, observed_unix_nano, position, severity, severity_number, trace_flags,
            dropped_attributes, scope_attributes['build'] AS build, schema_url, flags
        FROM logs ORDER BY position";
    const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";
    assert_eq!(
        Value::from(server.sql(query)),
        json!([
            {"event_name": "shop.restocked", "sent_unix_nano": 5, "observed_unix_nano": base(), "position": 0,
                "severity": "notice", "severity_number": 10, "trace_flags": 1, "dropped_attributes": 2, "build": "7",
                "schema_url": SCHEMA, "flags": ["time_not_believed"]},
            {"event_name": "shop.closed", "sent_unix_nano": base(), "observed_unix_nano": null, "position": 1,
                "severity": null, "severity_number": null, "trace_flags": null, "dropped_attributes": null, "build": "7",
                "schema_url": SCHEMA, "flags": null},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_time_stand_as_in_their_request() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h", "--no-maintenance"]).await;
    // Neither their names nor their texts are in this order.
    let spoken =
        [("gen_ai.user.message", "where?"), ("gen_ai.assistant.message", "there"), ("gen_ai.tool.message", "42")];
    let mut export = ExportLogsServiceRequest::default();
    for (name, words) in spoken {
        let mut sent = within(event(name, 5, &[]), 9, 2);
        sent.2.body = text("", words).value;
        let one = ExportLogsServiceRequest::decode(request(sent).as_slice()).unwrap();
        match export.resource_logs.first_mut() {
            Some(first) => {
                first.scope_logs[0].log_records.extend(one.resource_logs[0].scope_logs[0].log_records.clone())
            }
            None => export = one,
        }
    }
    server.takes("/v1/logs", export.encode_to_vec()).await;
    server.takes("/v1/traces", span("shop", SCOPE, (9, 2), 0, (0, 9)).chat().request()).await;
    let messages = "SELECT position, content FROM messages WHERE direction = 'input' ORDER BY position";
    let expected = json!([
        {"position": 1, "content": "where?"}, {"position": 2, "content": "there"}, {"position": 3, "content": "42"}
    ]);
    assert_eq!(Value::from(server.sql(messages)), expected);
    // Once more, behind another record.
    let other = ExportLogsServiceRequest::decode(request(event("shop.closed", 9, &[])).as_slice()).unwrap();
    let records = &mut export.resource_logs[0].scope_logs[0].log_records;
    records.insert(0, other.resource_logs[0].scope_logs[0].log_records[0].clone());
    server.takes("/v1/logs", export.encode_to_vec()).await;
    assert_eq!(Value::from(server.sql(messages)), expected);
    server.stop();
    run(&data, &["compact"]);
    assert_eq!(Value::from(sql(&data, "SELECT count(*) AS n FROM logs")), json!([{"n": 4}]), "each is kept once");
    assert_eq!(Value::from(sql(&data, messages)), expected);
}
