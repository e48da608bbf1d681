//! Log records: what is understood of them, what they tell of failures, and that they are kept as they were sent.

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Value, json};

use crate::agents::{claude, record, request, within};
use crate::server::{Server, sql};
use crate::spans::text;
use crate::views::{Sent, base, span};

const PROTOBUF: &str = "application/x-protobuf";
const SCOPE: &str = "opentelemetry.instrumentation.genai.openai";

async fn post(server: &Server, path: &str, body: Vec<u8>) {
    assert_eq!(server.post(path, PROTOBUF, body).await.unwrap().status(), 200);
}

/// A record whose event has a field of its own, as newer SDKs send it.
fn event(name: &str, millis: u64, attributes: &[(&str, &str)]) -> (String, String, LogRecord) {
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
    let details = [("gen_ai.operation.name", "chat"), ("gen_ai.output.messages", "[{\"role\":\"assist"), ("shop.shelf", "7")];
    for record in [sent.clone(), sent, event("gen_ai.client.inference.operation.details", 5, &details)] {
        post(&server, "/v1/logs", request(record)).await;
    }
    post(&server, "/v1/logs", request(record("shop", "app", "order.placed", 9, &[("shop.shelf", "7")]))).await;
    let query = "SELECT dialect, event_name, key, state, spans, unreadable_spans FROM mapping_coverage
        WHERE key NOT LIKE 'user.%' AND key <> 'session.id' ORDER BY dialect, event_name, key";
    let row = |dialect: &str, event: &str, key: &str, state: &str, unreadable: u64| {
        json!({"dialect": dialect, "event_name": event, "key": key, "state": state, "spans": 1, "unreadable_spans": unreadable})
    };
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
    post(&server, "/v1/logs", request(sent)).await;
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
    post(&server, "/v1/traces", feedback.request()).await;
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
    post(&server, "/v1/traces", of_span.request()).await;
    let mut of_log = record("claude-code", "com.anthropic.claude_code.events", "claude_code.api_request", 5, &[("model", "m")]);
    of_log.2.time_unix_nano = base();
    let bytes = with_resource(of_log, "cost-centre", "43");
    post(&server, "/v1/logs", bytes).await;
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

fn with_resource(sent: (String, String, LogRecord), key: &str, value: &str) -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use prost::Message;
    let mut decoded = ExportLogsServiceRequest::decode(request(sent).as_slice()).unwrap();
    decoded.resource_logs[0].resource.as_mut().unwrap().attributes.push(text(key, value));
    decoded.encode_to_vec()
}
