//! Real SDKs send, each set up as its users set it up with only the host changed; SQL has to give back what the
//! programs in `tests/python` and `tests/node` said.

use std::process::Command;

use serde_json::{Value, json};

use crate::readers::{python, run, script};
use crate::server::Server;
use crate::skipped::skipped;

/// The answer to a query.
fn rows(server: &Server, query: &str) -> Value {
    server.sql(query).into()
}

/// The spans of the server: name, kind, and the name of the parent, in the order they started.
fn tree(server: &Server) -> Value {
    rows(
        server,
        "SELECT s.name, s.kind, p.name AS parent FROM spans s
         LEFT JOIN spans p ON p.trace_id = s.trace_id AND p.span_id = s.parent_span_id
         ORDER BY s.start_unix_nano",
    )
}

/// A call that `fake_openai.py` answered.
fn call(input: u64, cached: u64, output: u64, reasoning: u64) -> Value {
    json!({
        "model": "gpt-4.1-mini-2026-01-15", "input_tokens": input, "cache_read_tokens": cached,
        "output_tokens": output, "reasoning_tokens": reasoning, "streaming": null, "status": null,
        "status_message": null, "reported_cost_usd": null
    })
}

/// `row` with the members of `other` in place of its own.
fn merged(mut row: Value, other: &Value) -> Value {
    row.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    row
}

/// What the messages of some spans say, in order: each with its direction, and in place of a tool call its arguments.
fn messages(server: &Server, which: &str) -> Vec<(&'static str, String)> {
    let query = format!(
        "SELECT m.direction, m.content FROM messages m JOIN spans s USING (trace_id, span_id)
         WHERE {which} ORDER BY s.start_unix_nano, m.direction, m.position"
    );
    let said = |content: &str| {
        let Ok(message) = serde_json::from_str::<Value>(content) else { return content.to_owned() };
        let message = message.get("message").unwrap_or(&message);
        let text = message["content"].as_str().or(message["tool_calls"][0]["function"]["arguments"].as_str());
        text.unwrap_or(content).to_owned()
    };
    let direction = |row: &Value| if row["direction"] == "input" { "input" } else { "output" };
    server.sql(&query).iter().map(|row| (direction(row), said(row["content"].as_str().unwrap()))).collect()
}

/// The messages of the three calls that `fake_openai.py` makes.
fn conversation() -> Vec<(&'static str, String)> {
    let first = [
        ("input", "You look after a seed shop – grüß jeden Kunden 🌱."),
        ("input", "Which shelf has the blue lantern seeds?"),
        ("output", r#"{"sku":"BL-42"}"#),
    ];
    let second = [
        first[0],
        first[1],
        ("input", r#"{"sku":"BL-42"}"#),
        ("input", r#"{"sku": "BL-42", "packets": 42, "shelf": 7}"#),
        ("output", "They are on shelf 7."),
    ];
    let third = [first[1], ("output", "Shelf 7 is in the north aisle.")];
    first.into_iter().chain(second).chain(third).map(|(direction, text)| (direction, text.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_langfuse_sdk_with_another_host() {
    let Some(python) = python("the_langfuse_sdk_with_another_host") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let trace = run(Command::new(&python).arg(script("langfuse_app.py")).envs([
        ("LANGFUSE_HOST", server.http.as_str()),
        ("LANGFUSE_PUBLIC_KEY", "pk-lf-test"),
        ("LANGFUSE_SECRET_KEY", "sk-lf-test"),
    ]));
    assert_eq!(
        tree(&server),
        json!([
            { "name": "request", "kind": "chain", "parent": null },
            { "name": "seed_agent", "kind": "agent", "parent": "request" },
            { "name": "notes", "kind": "retrieval", "parent": "seed_agent" },
            { "name": "OpenAI-generation", "kind": "chat", "parent": "seed_agent" },
            { "name": "lookup_stock", "kind": "tool", "parent": "seed_agent" },
            { "name": "OpenAI-generation", "kind": "chat", "parent": "seed_agent" },
            { "name": "OpenAI-generation", "kind": "chat", "parent": "seed_agent" },
            { "name": "house call", "kind": "chat", "parent": "seed_agent" },
        ])
    );
    // What the application set once for all is on every span, and all are of one trace.
    assert_eq!(
        rows(
            &server,
            "SELECT DISTINCT dialect, trace_id, conversation_id, user_id, tags, metadata['plan'] AS plan FROM spans"
        ),
        json!([{ "dialect": "langfuse", "trace_id": trace.trim(), "conversation_id": "sess-7f3a", "user_id": "user-042",
                 "tags": ["night", "shop"], "plan": "garden" }])
    );
    assert_eq!(
        rows(
            &server,
            "SELECT coalesce(response_model, request_model) AS model, input_tokens, cache_read_tokens, output_tokens,
                reasoning_tokens, streaming, status, status_message, reported_cost_usd
             FROM spans WHERE kind = 'chat' ORDER BY start_unix_nano"
        ),
        json!([
            call(1101, 13, 207, 21),
            call(1202, 23, 214, 22),
            merged(call(1303, 33, 221, 23), &json!({ "streaming": true })),
            merged(
                call(31, 5, 12, 0),
                &json!({
                    "model": "house-model", "reasoning_tokens": null, "status": "error",
                    "status_message": "the house model stumbled", "reported_cost_usd": "0.003"
                })
            ),
        ])
    );
    assert_eq!(messages(&server, "s.name = 'OpenAI-generation'"), conversation());
    assert_eq!(
        messages(&server, "s.name = 'house call'"),
        [("input", "Which shelf?".to_owned()), ("output", "Shelf 7.".to_owned())]
    );
    assert_eq!(
        rows(
            &server,
            "SELECT name, tool_name, retrieval_query, input_preview, output_preview FROM spans
             WHERE name IN ('request', 'seed_agent', 'notes', 'lookup_stock') ORDER BY start_unix_nano"
        ),
        json!([
            { "name": "request", "tool_name": null, "retrieval_query": null, "input_preview": r#"{"from": "web"}"#,
              "output_preview": null },
            { "name": "seed_agent", "tool_name": null, "retrieval_query": null,
              "input_preview": r#"{"args": ["Which shelf?"], "kwargs": {}}"#,
              "output_preview": "Shelf 7 is in the north aisle." },
            { "name": "notes", "tool_name": null, "retrieval_query": "blue lantern", "input_preview": "blue lantern",
              "output_preview": r#"{"id": "doc-11", "score": 0.91}"# },
            { "name": "lookup_stock", "tool_name": "lookup_stock", "retrieval_query": null,
              "input_preview": r#"{"args": [], "kwargs": {"sku": "BL-42"}}"#,
              "output_preview": r#"{"sku": "BL-42", "packets": 42, "shelf": 7}"# },
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_langsmith_sdk_with_another_host() {
    let Some(python) = python("the_langsmith_sdk_with_another_host") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    // In this mode the SDK also posts its runs to LangSmith's own paths, which are not here.
    run(Command::new(&python).arg(script("langsmith_app.py")).env_remove("LANGSMITH_TRACING_MODE").envs([
        ("LANGSMITH_TRACING", "true"),
        ("LANGSMITH_OTEL_ENABLED", "true"),
        ("LANGSMITH_ENDPOINT", server.http.as_str()),
        ("LANGSMITH_API_KEY", "lsv2_test"),
        ("LANGSMITH_PROJECT", "shop"),
    ]));
    assert_eq!(
        tree(&server),
        json!([
            { "name": "seed agent", "kind": "chain", "parent": null },
            { "name": "notes", "kind": "retrieval", "parent": "seed agent" },
            { "name": "ChatOpenAI", "kind": "chat", "parent": "seed agent" },
            { "name": "lookup_stock", "kind": "tool", "parent": "seed agent" },
            { "name": "ChatOpenAI", "kind": "chat", "parent": "seed agent" },
            { "name": "ChatOpenAI", "kind": "chat", "parent": "seed agent" },
            { "name": "broken", "kind": "tool", "parent": null },
        ])
    );
    assert_eq!(
        rows(
            &server,
            "SELECT DISTINCT dialect, conversation_id, user_id, tags, metadata['plan'] AS plan FROM spans
             WHERE name <> 'broken'"
        ),
        json!([{ "dialect": "langsmith", "conversation_id": "sess-7f3a", "user_id": "user-042",
                 "tags": ["night", "shop"], "plan": "garden" }])
    );
    let of_call = |row: Value, finish: &str| {
        merged(row, &json!({ "status": "ok", "request_model": "gpt-4.1-mini", "finish_reasons": [finish] }))
    };
    assert_eq!(
        rows(
            &server,
            "SELECT response_model AS model, input_tokens, cache_read_tokens, output_tokens, reasoning_tokens,
                streaming, status, status_message, reported_cost_usd, request_model, finish_reasons
             FROM spans WHERE kind = 'chat' ORDER BY start_unix_nano"
        ),
        json!([
            of_call(call(1101, 13, 207, 21), "tool_calls"),
            of_call(call(1202, 23, 214, 22), "stop"),
            of_call(merged(call(1303, 33, 221, 23), &json!({ "streaming": true })), "stop"),
        ])
    );
    assert_eq!(messages(&server, "s.kind = 'chat'"), conversation());
    assert_eq!(
        rows(
            &server,
            "SELECT name, status, tool_name, input_preview, output_preview FROM spans WHERE kind = 'tool'
                       ORDER BY start_unix_nano"
        ),
        json!([
            { "name": "lookup_stock", "status": "ok", "tool_name": "lookup_stock", "input_preview": r#"{"sku":"BL-42"}"#,
              "output_preview": r#"{"sku":"BL-42","packets":42,"shelf":7}"# },
            { "name": "broken", "status": "error", "tool_name": "broken", "input_preview": null, "output_preview": null },
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_exports_logs_within_spans() {
    let Some(python) = python("the_python_sdk_exports_logs_within_spans") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let traces = run(Command::new(&python).arg(script("sdk_logs.py")).args([&server.grpc, &server.http]));
    assert_eq!(traces.lines().count(), 2);
    for trace in traces.lines() {
        let logs = format!(
            "SELECT l.event_name, l.severity, l.body, l.body_type, l.conversation_id, l.attributes['app.low'] AS low,
                l.scope_version, s.name AS span
             FROM logs l JOIN spans s USING (trace_id, span_id) WHERE l.trace_id = '{trace}' ORDER BY l.time_unix_nano"
        );
        assert_eq!(
            rows(&server, &logs),
            json!([
                { "event_name": "gen_ai.client.inference.operation.details", "severity": null, "body": null,
                  "body_type": null, "conversation_id": "sess-7f3a", "low": null, "scope_version": "1.2.3",
                  "span": "chat gpt-4.1-mini" },
                { "event_name": null, "severity": "WARN", "body": r#"{"sku":"BL-42","packets":42,"shelves":[7,8]}"#,
                  "body_type": "kvlist", "conversation_id": null, "low": "true", "scope_version": "1.2.3",
                  "span": "chat gpt-4.1-mini" },
            ])
        );
        // The messages of the record are those of the span's call.
        let said = |content: &str| json!([{ "type": "text", "content": content }]);
        let found = server.sql(&format!(
            "SELECT direction, role, content FROM messages WHERE trace_id = '{trace}' ORDER BY direction"
        ));
        let found = found.iter().map(|row| {
            let content: Value = serde_json::from_str(row["content"].as_str().unwrap()).unwrap();
            json!([row["direction"], row["role"], content["parts"]])
        });
        assert_eq!(
            Value::from_iter(found),
            json!([["input", "user", said("Which shelf?")], ["output", "assistant", said("Shelf 7.")]])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdks_export_as_json() {
    let Ok(modules) = std::env::var("TRACEWELL_NODE_MODULES") else {
        skipped(
            "the_javascript_sdks_export_as_json",
            "set TRACEWELL_NODE_MODULES to the node_modules of tests/node (.ci/run installs them)",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h"]).await;
    let sdk = format!("{}/../../tests/node/sdk.cjs", env!("CARGO_MANIFEST_DIR"));
    let traces = run(Command::new("node").arg(sdk).arg(&server.http).env("NODE_PATH", modules));
    let [plain, langfuse] = traces.lines().collect::<Vec<_>>()[..] else { panic!("{traces}") };
    let spans = |trace: &str| {
        rows(
            &server,
            &format!(
                "SELECT s.name, s.kind, p.name AS parent, coalesce(s.request_model, s.response_model) AS model,
                    s.input_tokens, s.cache_read_tokens, s.output_tokens, s.temperature, s.conversation_id, s.status,
                    s.status_message, s.error_type, s.input_preview, s.output_preview, s.attributes['app.preview'] AS cut,
                    s.attributes['app.exact'] AS exact
                 FROM spans s LEFT JOIN spans p ON p.trace_id = s.trace_id AND p.span_id = s.parent_span_id
                 WHERE s.trace_id = '{trace}' ORDER BY s.name"
            ),
        )
    };
    let nothing = json!({
        "name": null, "kind": null, "parent": null, "model": null, "input_tokens": null, "cache_read_tokens": null,
        "output_tokens": null, "temperature": null, "conversation_id": null, "status": null, "status_message": null,
        "error_type": null, "input_preview": null, "output_preview": null, "cut": null, "exact": null
    });
    assert_eq!(
        spans(plain),
        json!([
            merged(
                nothing.clone(),
                &json!({
                    "name": "chat gpt-4.1-mini", "kind": "chat", "parent": "outer", "model": "gpt-4.1-mini",
                    "input_tokens": 120, "output_tokens": 30, "temperature": 0.25, "conversation_id": "sess-7f3a",
                    "status": "error", "status_message": "no such shelf", "error_type": "TypeError",
                    "input_preview": "Grüße 🌱: which shelf?", "cut": "seeds \u{fffd}", "exact": "9007199254740991"
                })
            ),
            merged(nothing.clone(), &json!({ "name": "outer", "kind": "other" })),
        ])
    );
    assert_eq!(
        rows(&server, &format!("SELECT event_name, severity, body FROM logs WHERE trace_id = '{plain}'")),
        json!([{ "event_name": "app.stock", "severity": "INFO", "body": r#"{"sku":"BL-42","packets":42}"# }])
    );
    assert_eq!(
        spans(langfuse),
        json!([
            merged(
                nothing.clone(),
                &json!({
                    "name": "house call", "kind": "chat", "parent": "seed agent", "model": "house-model",
                    "input_tokens": 31, "cache_read_tokens": 5, "output_tokens": 12, "temperature": 0.5,
                    "input_preview": "Which shelf?", "output_preview": "Shelf 7."
                })
            ),
            merged(
                nothing,
                &json!({
                    "name": "seed agent", "kind": "agent", "input_preview": r#"{"question":"Which shelf?"}"#,
                    "output_preview": "Shelf 7."
                })
            ),
        ])
    );
}
