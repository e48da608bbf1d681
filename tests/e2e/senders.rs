//! Real SDKs send, each set up as its users set it up with only the host changed; SQL has to give back what the
//! programs in `tests/python` and `tests/node` said.

use std::process::Command;

use serde_json::{Value, json};

use crate::readers::{python, run, script};
use crate::server::Server;

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
