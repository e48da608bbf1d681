//! Coding agents tell of their calls and tools in log records: each is one row of the views, whoever else tells of it.
//!
//! The records are written from the agents' documented fields; every expected figure is computed by hand.

use serde_json::{Value, json};

use crate::records::{Record, claude, record, request, within};
use crate::sent::{Sent, hex, span};
use crate::server::{Server, sql};
use crate::settled::{is_settled, run};
use crate::spans::{int, text};

async fn server(folder: &tempfile::TempDir, spans: Vec<Sent>, records: Vec<Record>) -> Server {
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    for span in spans {
        server.takes("/v1/traces", span.request()).await;
    }
    for record in records {
        server.takes("/v1/logs", request(record)).await;
    }
    server
}

fn rows(server: &Server, query: &str) -> Value {
    Value::from(server.sql(query))
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

#[tokio::test(flavor = "multi_thread")]
async fn one_record_of_a_codex_call_is_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let codex = |event, millis, attributes: &[(&str, &str)]| {
        let common =
            [("conversation.id", "conversation-1"), ("model", "gpt-5-codex"), ("user.account_id", "account-1")];
        let attributes: Vec<_> = common.iter().chain(attributes).copied().collect();
        record("codex_cli_rs", "codex_otel", event, millis, &attributes)
    };
    let counts = [
        ("event.kind", "response.completed"),
        ("input_token_count", "12000"),
        ("output_token_count", "800"),
        ("cached_token_count", "9000"),
        ("reasoning_token_count", "640"),
        ("tool_token_count", "12800"),
    ];
    let records = vec![
        codex("codex.conversation_starts", 0, &[("provider_name", "OpenAI"), ("reasoning_effort", "high")]),
        // Refused once, then answered: the headers come first, then events, then the counts.
        codex(
            "codex.api_request",
            1_000,
            &[("attempt", "0"), ("duration_ms", "40"), ("http.response.status_code", "429")],
        ),
        codex(
            "codex.api_request",
            2_000,
            &[("attempt", "1"), ("duration_ms", "300"), ("http.response.status_code", "200")],
        ),
        codex("codex.sse_event", 2_500, &[("event.kind", "response.output_item.done"), ("duration_ms", "12")]),
        codex("codex.sse_event", 3_000, &[("event.kind", "response.completed"), ("duration_ms", "3")]),
        codex("codex.sse_event", 3_001, &counts),
        // The next answer of equal size is another call.
        codex("codex.sse_event", 8_000, &counts),
        // The counts exceed their whole.
        codex(
            "codex.sse_event",
            9_000,
            &[
                ("event.kind", "response.completed"),
                ("input_token_count", "10"),
                ("output_token_count", "5"),
                ("cached_token_count", "11"),
            ],
        ),
    ];
    let server = server(&folder, Vec::new(), records).await;
    let query =
        "SELECT input_tokens, output_tokens, cache_read_tokens, reasoning_tokens, usage_flags, status, error_class,
            duration_ns, request_model, conversation_id, user_id, dialect, input_semantics
        FROM llm_calls ORDER BY start_time";
    let row = |counts: [Option<u64>; 4], rest: Value| {
        let mut row = json!({"input_tokens": counts[0], "output_tokens": counts[1], "cache_read_tokens": counts[2],
            "reasoning_tokens": counts[3], "usage_flags": null, "status": null, "error_class": null, "duration_ns": null,
            "request_model": "gpt-5-codex", "conversation_id": "conversation-1", "user_id": "account-1",
            "dialect": "codex", "input_semantics": counts[0].map(|_| "inclusive")});
        row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        row
    };
    let answered = || row([Some(12_000), Some(800), Some(9_000), Some(640)], json!({}));
    assert_eq!(
        rows(&server, query),
        json!([
            row([None; 4], json!({"status": "error", "error_class": "rate_limit", "duration_ns": 40_000_000})),
            answered(),
            answered(),
            row([Some(10), Some(5), Some(11), None], json!({"usage_flags": ["parts_exceed_whole"]})),
        ])
    );
    assert_eq!(rows(&server, "SELECT count(*) AS n FROM logs"), json!([{"n": 8}]), "every record is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_records_of_a_gemini_call_are_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let gemini = |event, millis, attributes: &[(&str, &str)]| {
        let attributes = with(&[("session.id", "session-1"), ("prompt_id", "session-1########0")], attributes);
        record("gemini-cli", "gemini-cli", event, millis, &attributes)
    };
    let response = |thoughts, total| {
        [
            ("model", "gemini-3-pro"),
            ("status_code", "200"),
            ("duration_ms", "2000"),
            ("input_token_count", "1000"),
            ("output_token_count", "50"),
            ("cached_content_token_count", "300"),
            ("thoughts_token_count", thoughts),
            ("tool_token_count", "7"),
            ("total_token_count", total),
        ]
    };
    let details = [
        ("gen_ai.operation.name", "generate_content"),
        ("gen_ai.provider.name", "gcp.gemini"),
        ("gen_ai.request.model", "gemini-3-pro"),
        ("gen_ai.usage.input_tokens", "1000"),
        ("gen_ai.usage.output_tokens", "50"),
        ("gen_ai.response.finish_reasons", "[\"STOP\"]"),
        ("gen_ai.output.messages", "[{\"role\":\"model\",\"parts\":[{\"type\":\"text\",\"content\":\"Shelf 7.\"}]}]"),
    ];
    const DETAILS: &str = "gen_ai.client.inference.operation.details";
    let records = vec![
        gemini("gemini_cli.api_request", 1_000, &[("model", "gemini-3-pro")]),
        gemini("gemini_cli.api_response", 3_000, &response("20", "1077")),
        gemini(DETAILS, 3_001, &details),
        // Without thoughts and without its other record, and one that failed.
        gemini("gemini_cli.api_response", 9_000, &response("0", "1057")),
        gemini(
            "gemini_cli.api_error",
            12_000,
            &[
                ("model", "gemini-3-pro"),
                ("error", "Resource exhausted"),
                ("status_code", "429"),
                ("duration_ms", "80"),
            ],
        ),
    ];
    let server = server(&folder, Vec::new(), records).await;
    let query = "SELECT input_tokens, output_tokens, cache_read_tokens, reasoning_tokens, usage_flags, provider,
            finish_reasons, error_class, duration_ns, conversation_id, output_refs IS NOT NULL AS output, duplicate_spans
        FROM llm_calls ORDER BY start_time";
    assert_eq!(
        rows(&server, query),
        json!([
            // 1000 + 7 in, 50 + 20 out.
            {"input_tokens": 1007, "output_tokens": 70, "cache_read_tokens": 300, "reasoning_tokens": 20,
                "usage_flags": null, "provider": "gcp.gemini", "finish_reasons": ["stop"], "error_class": null,
                "duration_ns": 2_000_000_000_u64, "conversation_id": "session-1", "output": true, "duplicate_spans": 1},
            {"input_tokens": 1007, "output_tokens": 50, "cache_read_tokens": 300, "reasoning_tokens": 0,
                "usage_flags": null, "provider": null, "finish_reasons": null, "error_class": null,
                "duration_ns": 2_000_000_000_u64, "conversation_id": "session-1", "output": false, "duplicate_spans": 0},
            {"input_tokens": null, "output_tokens": null, "cache_read_tokens": null, "reasoning_tokens": null,
                "usage_flags": null, "provider": null, "finish_reasons": null, "error_class": "rate_limit",
                "duration_ns": 80_000_000, "conversation_id": "session-1", "output": false, "duplicate_spans": 0},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_call_is_one_row_with_the_decision_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let s = "claude-code";
    let spans = vec![
        span(s, "com.anthropic.claude_code.tracing", (1, 1), 0, (0, 9_000))
            .named("claude_code.tool")
            .with(text("span.type", "tool"))
            .with(text("tool_name", "Bash"))
            .with(text("tool_use_id", "toolu_both")),
    ];
    let codex = |event, millis, attributes: &[(&str, &str)]| {
        record("codex_cli_rs", "codex_otel", event, millis, &with(&[("conversation.id", "conversation-1")], attributes))
    };
    let result = [
        ("tool_name", "Bash"),
        ("success", "true"),
        ("duration_ms", "8000"),
        ("decision_type", "accept"),
        ("decision_source", "config"),
    ];
    let alone = claude("claude_code.tool_result", 20_000, &with(&result, &[("tool_use_id", "toolu_alone")]));
    let records = vec![
        claude(
            "claude_code.tool_result",
            9_002,
            &with(&result, &[("tool_use_id", "toolu_both"), ("tool_input", "{\"command\":\"ls\"}")]),
        ),
        alone.clone(),
        alone,
        // A person says no: there is a decision and no execution.
        claude(
            "claude_code.tool_decision",
            21_000,
            &[("tool_name", "Write"), ("tool_use_id", "toolu_no"), ("decision", "reject"), ("source", "user_reject")],
        ),
        codex(
            "codex.tool_decision",
            30_000,
            &[("tool_name", "shell"), ("call_id", "call_1"), ("decision", "approved"), ("source", "user")],
        ),
        codex(
            "codex.tool_result",
            31_000,
            &[
                ("tool_name", "shell"),
                ("call_id", "call_1"),
                ("arguments", "{\"command\":[\"false\"]}"),
                ("duration_ms", "25"),
                ("success", "false"),
                ("output", "exit 1"),
            ],
        ),
        record(
            "gemini-cli",
            "gemini-cli",
            "gemini_cli.tool_call",
            40_000,
            &[
                ("session.id", "session-9"),
                ("function_name", "read_file"),
                ("function_args", "{\"path\":\"a\"}"),
                ("duration_ms", "3"),
                ("success", "true"),
                ("decision", "auto_accept"),
                ("tool_type", "native"),
            ],
        ),
    ];
    let server = server(&folder, spans, records).await;
    let query =
        "SELECT tool_name, tool_call_id, trace_id, status, error_class, decision, decision_source, arguments, result,
            tool_type, duration_ns, conversation_id, duplicate_spans
        FROM tool_calls ORDER BY start_time";
    let row = |tool: &str, id: Option<&str>, rest: Value| {
        let mut row = json!({"tool_name": tool, "tool_call_id": id, "trace_id": null, "status": "ok", "error_class": null,
            "decision": "accept", "decision_source": "config", "arguments": null, "result": null, "tool_type": null,
            "duration_ns": 8_000_000_000_u64, "conversation_id": "session-1", "duplicate_spans": 0});
        row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        row
    };
    assert_eq!(
        rows(&server, query),
        json!([
            row(
                "Bash",
                Some("toolu_both"),
                json!({"trace_id": hex(1), "arguments": "{\"command\":\"ls\"}",
                "duration_ns": 9_000_000_000_u64, "duplicate_spans": 1})
            ),
            row("Bash", Some("toolu_alone"), json!({})),
            row(
                "shell",
                Some("call_1"),
                json!({"status": "error", "error_class": "tool", "decision": "approved",
                "decision_source": "user", "arguments": "{\"command\":[\"false\"]}", "result": "exit 1",
                "duration_ns": 25_000_000, "conversation_id": "conversation-1"})
            ),
            row(
                "read_file",
                None,
                json!({"decision": "auto_accept", "decision_source": null, "arguments": "{\"path\":\"a\"}",
                "tool_type": "native", "duration_ns": 3_000_000, "conversation_id": "session-9"})
            ),
        ])
    );
    let query = "SELECT tool_name, decision, decision_source FROM logs WHERE kind = 'human' AND decision = 'reject'";
    assert_eq!(
        rows(&server, query),
        json!([{"tool_name": "Write", "decision": "reject", "decision_source": "user_reject"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_date_keeps_the_calls_of_records() {
    const TEN_DAYS: u64 = 10 * 24 * 3_600 * 1_000_000_000;
    let folder = tempfile::tempdir().unwrap();
    let long_ago = |id: &str, millis| {
        let mut sent = claude("claude_code.api_request", millis, &with(API_REQUEST, &[("request_id", id)]));
        sent.2.time_unix_nano -= TEN_DAYS;
        sent
    };
    // One takes no time that it tells of, and one has a trace.
    let mut timeless = long_ago("req_timeless", 9_000);
    timeless.2.attributes.retain(|attribute| attribute.key != "duration_ms");
    let records = vec![long_ago("req_1", 1_000), within(long_ago("req_2", 5_000), 7, 8), timeless];
    let server = server(&folder, Vec::new(), records).await;
    let data = server.data.clone();
    server.stop();
    let calls = "SELECT response_id, trace_id, span_id, duration_ns, input_tokens, reported_cost_usd FROM llm_calls
        ORDER BY start_time";
    let traces = "SELECT trace_id, span_count, call_count, input_tokens FROM traces";
    let before = (sql(&data, calls), sql(&data, traces));
    let column = |name: &str| before.0.iter().map(|row| row[name].clone()).collect::<Value>();
    assert_eq!(column("trace_id"), json!([null, hex(7), null]));
    assert_eq!(column("duration_ns"), json!([1_500_000_000, 1_500_000_000, null]));
    run(&data, &["settle"]);
    assert!(is_settled(&data, ""));
    assert_eq!((sql(&data, calls), sql(&data, traces)), before);
}
