//! Coding agents tell of their calls and tools in log records: each is one row of the views, whoever else tells of it.
//!
//! The records are written from the agents' documented fields; every expected figure is computed by hand.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde_json::{Value, json};

use crate::server::Server;
use crate::spans::text;
use crate::views::{Sent, base, int, span};

const PROTOBUF: &str = "application/x-protobuf";

/// One record of `service`, written `millis` after [`base`]: a body that names the event, as Claude Code sends it, and
/// the attribute.
fn record(
    service: &str,
    scope: &str,
    event: &str,
    millis: u64,
    attributes: &[(&str, &str)],
) -> (String, String, LogRecord) {
    let short = event.rsplit_once('.').map_or(event, |(_, name)| name);
    let name = if event.starts_with("claude_code.") { short } else { event };
    let mut sent = vec![text("event.name", name)];
    sent.extend(attributes.iter().map(|(key, value)| text(key, value)));
    let body = AnyValue { value: Some(any_value::Value::StringValue(event.into())) };
    let time_unix_nano = base() + millis * 1_000_000;
    let record = LogRecord { time_unix_nano, body: Some(body), attributes: sent, ..LogRecord::default() };
    (service.to_owned(), scope.to_owned(), record)
}

/// Puts a record within a span.
fn within(
    (service, scope, mut record): (String, String, LogRecord),
    trace: u128,
    span: u64,
) -> (String, String, LogRecord) {
    record.trace_id = trace.to_be_bytes().to_vec();
    record.span_id = span.to_be_bytes().to_vec();
    (service, scope, record)
}

fn request((service, scope, record): (String, String, LogRecord)) -> Vec<u8> {
    let resource = Resource { attributes: vec![text("service.name", &service)], ..Resource::default() };
    let scope = InstrumentationScope { name: scope, ..InstrumentationScope::default() };
    let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

async fn server(folder: &tempfile::TempDir, spans: Vec<Sent>, records: Vec<(String, String, LogRecord)>) -> Server {
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    for span in spans {
        assert_eq!(server.post("/v1/traces", PROTOBUF, span.request()).await.unwrap().status(), 200);
    }
    for record in records {
        assert_eq!(server.post("/v1/logs", PROTOBUF, request(record)).await.unwrap().status(), 200);
    }
    server
}

fn rows(server: &Server, query: &str) -> Value {
    Value::from(server.sql(query))
}

fn hex(id: u128) -> String {
    format!("{id:032x}")
}

const CLAUDE: &str = "com.anthropic.claude_code.events";

fn claude(event: &str, millis: u64, attributes: &[(&str, &str)]) -> (String, String, LogRecord) {
    let common = [("session.id", "session-1"), ("user.id", "installation"), ("user.account_uuid", "user-042")];
    let attributes: Vec<_> = common.iter().chain(attributes).copied().collect();
    record("claude-code", CLAUDE, event, millis, &attributes)
}

/// A request that took 1.5 s, its counts as text: 531 + 2013 + 317 = 2861 in.
const API_REQUEST: &[(&str, &str)] = &[
    ("model", "claude-sonnet-5"),
    ("cost_usd", "0.0123"),
    ("duration_ms", "1500"),
    ("input_tokens", "531"),
    ("output_tokens", "159"),
    ("cache_read_tokens", "2013"),
    ("cache_creation_tokens", "317"),
    ("prompt.id", "prompt-1"),
];

fn with<'a>(attributes: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    attributes.iter().chain(more).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_claude_code_counts_once_whether_a_span_a_record_or_both_tell_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let s = "claude-code";
    let llm_request = |ids, parent, times: (u64, u64), id: &str| {
        span(s, "com.anthropic.claude_code.tracing", ids, parent, times)
            .named("claude_code.llm_request")
            .with(text("span.type", "llm_request"))
            .with(text("gen_ai.system", "anthropic"))
            .with(text("gen_ai.request.model", "claude-sonnet-5"))
            .with(text("gen_ai.response.id", id))
            .with(text("request_id", id))
            .with(int("input_tokens", 531))
            .with(int("output_tokens", 159))
            .with(int("cache_read_tokens", 2013))
            .with(int("cache_creation_tokens", 317))
    };
    let spans = vec![
        span(s, "com.anthropic.claude_code.tracing", (1, 1), 0, (0, 9_000))
            .named("claude_code.interaction")
            .with(text("span.type", "interaction")),
        llm_request((1, 2), 1, (1_000, 2_500), "req_both"),
        // Its record names the span itself.
        llm_request((1, 3), 1, (3_000, 4_500), "req_within"),
    ];
    let alone = claude("claude_code.api_request", 20_000, &with(API_REQUEST, &[("request_id", "req_alone")]));
    let records = vec![
        within(claude("claude_code.api_request", 2_503, &with(API_REQUEST, &[("request_id", "req_both")])), 1, 1),
        within(claude("claude_code.api_request", 4_503, &with(API_REQUEST, &[("request_id", "req_within")])), 1, 3),
        // Nothing else tells of these; the second was sent twice.
        within(claude("claude_code.api_request", 6_000, &with(API_REQUEST, &[("request_id", "req_traced")])), 2, 9),
        alone.clone(),
        alone,
        // A failed one, and what stands beside a call without being one.
        claude(
            "claude_code.api_error",
            30_000,
            &[("model", "claude-sonnet-5"), ("error", "Overloaded"), ("status_code", "529"), ("duration_ms", "93")],
        ),
        claude("claude_code.user_prompt", 19_000, &[("prompt", "Where?"), ("prompt_length", "6")]),
        claude("claude_code.api_request_body", 19_100, &[("body", "{\"model\":\"m\",\"messages\":[]}")]),
    ];
    let server = server(&folder, spans, records).await;

    let query = "SELECT response_id, trace_id, request_model, input_tokens, output_tokens, cache_read_tokens,
            cache_write_tokens, reported_cost_usd, conversation_id, user_id, duration_ns, status, error_class, duplicate_spans
        FROM llm_calls ORDER BY start_time";
    let call = |id: Option<&str>, trace: Option<u128>, duplicates: u64| {
        json!({"response_id": id, "trace_id": trace.map(hex), "request_model": "claude-sonnet-5", "input_tokens": 2861,
            "output_tokens": 159, "cache_read_tokens": 2013, "cache_write_tokens": 317, "reported_cost_usd": "0.0123",
            "conversation_id": "session-1", "user_id": "user-042", "duration_ns": 1_500_000_000_u64, "status": null,
            "error_class": null, "duplicate_spans": duplicates})
    };
    let failed = json!({"response_id": null, "trace_id": null, "request_model": "claude-sonnet-5", "input_tokens": null,
        "output_tokens": null, "cache_read_tokens": null, "cache_write_tokens": null, "reported_cost_usd": null,
        "conversation_id": "session-1", "user_id": "user-042", "duration_ns": 93_000_000, "status": "error",
        "error_class": "server", "duplicate_spans": 0});
    assert_eq!(
        rows(&server, query),
        json!([
            call(Some("req_both"), Some(1), 1),
            call(Some("req_within"), Some(1), 1),
            call(Some("req_traced"), Some(2), 0),
            call(Some("req_alone"), None, 0),
            failed
        ])
    );

    let query = "SELECT trace_id, root_name, missing_root, span_count, call_count, input_tokens, conversation_id
        FROM traces ORDER BY trace_id";
    assert_eq!(
        rows(&server, query),
        json!([
            {"trace_id": hex(1), "root_name": "claude_code.interaction", "missing_root": false, "span_count": 3,
                "call_count": 2, "input_tokens": 2 * 2861, "conversation_id": "session-1"},
            {"trace_id": hex(2), "root_name": null, "missing_root": true, "span_count": 0, "call_count": 1,
                "input_tokens": 2861, "conversation_id": "session-1"},
        ])
    );
    let query = "SELECT kind, prompt_id, usage_reported['input_tokens'] AS reported, input_semantics FROM logs
        WHERE record_id IS NOT NULL AND request_id = 'req_traced'";
    assert_eq!(
        rows(&server, query),
        json!([{"kind": "chat", "prompt_id": "prompt-1", "reported": "531", "input_semantics": "exclusive"}])
    );
}
