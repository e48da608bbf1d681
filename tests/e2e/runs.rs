//! What `runs`, `sessions` and `prompt_usage` say of two conversations that were written for it.

use serde_json::{Value, json};

use crate::sent::{Sent, said, span};
use crate::server::{Server, sql};
use crate::spans::text;

fn chat(ids: (u128, u64), parent: u64, times: (u64, u64), asked: &str, answered: &str) -> Sent {
    span("shop", "a", ids, parent, times)
        .chat()
        .with(text("gen_ai.input.messages", &said("user", asked)))
        .with(text("gen_ai.output.messages", &said("assistant", answered)))
}

fn prompt(sent: Sent, version: &str) -> Sent {
    sent.with(text("gen_ai.prompt.name", "seed-helper")).with(text("gen_ai.prompt.version", version))
}

fn spans() -> Vec<Sent> {
    let root = |trace, times, session: &str| {
        span("shop", "app", (trace, 1), 0, times)
            .with(text("gen_ai.operation.name", "invoke_agent"))
            .with(text("session.id", session))
            .with(text("user.id", "ada"))
    };
    let tool = |trace, id, times| {
        span("shop", "a", (trace, id), 1, times)
            .with(text("gen_ai.operation.name", "execute_tool"))
            .with(text("gen_ai.tool.name", "lookup"))
    };
    vec![
        root(1, (0, 900), "talk"),
        prompt(chat((1, 2), 1, (10, 100), "Where?", "I look it up."), "1").used(100, 10),
        tool(1, 3, (110, 120)),
        // The tool's span, sent again.
        tool(1, 3, (110, 120)),
        prompt(chat((1, 4), 1, (130, 200), "Shelf 7.", "It is on shelf 7."), "1").used(120, 12),
        root(2, (1_000, 1_900), "talk"),
        prompt(chat((2, 2), 1, (1_010, 1_100), "And the price?", "Nine."), "2").used(50, 5),
        span("shop", "a", (2, 5), 1, (1_200, 1_300)).with(text("gen_ai.operation.name", "retrieval")),
        // A run of another conversation, whose call tells no usage.
        root(3, (2_000, 2_900), "other"),
        prompt(chat((3, 2), 1, (2_010, 2_100), "Hello", "Hi."), "2"),
        // Nothing but a second account of the first run's first call, in a trace of its own.
        span("shop", "b", (4, 9), 0, (11, 99)).chat().used(100, 10),
    ]
}

fn check(rows: impl Fn(&str) -> Vec<Value>) {
    let trace = |id: u128| format!("{id:032x}");
    let runs = rows(
        "SELECT trace_id, conversation_id, user_id, prompts, tools, tool_count, tool_error_count, retrieval_count,
            call_count, calls_without_usage, input_tokens, output_tokens, input_preview, output_preview, scores
        FROM runs ORDER BY start_time",
    );
    let columns = [
        "trace_id",
        "conversation_id",
        "user_id",
        "prompts",
        "tools",
        "tool_count",
        "tool_error_count",
        "retrieval_count",
        "call_count",
        "calls_without_usage",
        "input_tokens",
        "output_tokens",
        "input_preview",
        "output_preview",
        "scores",
    ];
    let cells = |row: &Value| columns.iter().map(|column| row[*column].clone()).collect::<Value>();
    assert_eq!(
        runs.iter().map(cells).collect::<Value>(),
        json!([
            [
                trace(1),
                "talk",
                "ada",
                ["seed-helper@1"],
                ["lookup"],
                1,
                0,
                0,
                2,
                0,
                220,
                22,
                "Where?",
                "It is on shelf 7.",
                null
            ],
            [trace(2), "talk", "ada", ["seed-helper@2"], null, 0, 0, 1, 1, 0, 50, 5, "And the price?", "Nine.", null],
            [trace(3), "other", "ada", ["seed-helper@2"], null, 0, 0, 0, 1, 1, null, null, "Hello", "Hi.", null],
        ])
    );
    assert_eq!(
        Value::from(rows(
            "SELECT conversation_id, user_id, run_count, failed_run_count, call_count, calls_without_usage,
                input_tokens, output_tokens, input_preview, output_preview
            FROM sessions ORDER BY conversation_id"
        )),
        json!([
            {"conversation_id": "other", "user_id": "ada", "run_count": 1, "failed_run_count": 0, "call_count": 1,
                "calls_without_usage": 1, "input_tokens": null, "output_tokens": null, "input_preview": "Hello",
                "output_preview": "Hi."},
            {"conversation_id": "talk", "user_id": "ada", "run_count": 2, "failed_run_count": 0, "call_count": 3,
                "calls_without_usage": 0, "input_tokens": 270, "output_tokens": 27, "input_preview": "Where?",
                "output_preview": "Nine."},
        ])
    );
    assert_eq!(
        Value::from(rows(
            "SELECT prompt_name, prompt_version, call_count, call_count_last_day, share, share_last_day
            FROM prompt_usage ORDER BY prompt_version"
        )),
        json!([
            {"prompt_name": "seed-helper", "prompt_version": "1", "call_count": 2, "call_count_last_day": 2,
                "share": 0.5, "share_last_day": 0.5},
            {"prompt_name": "seed-helper", "prompt_version": "2", "call_count": 2, "call_count_last_day": 2,
                "share": 0.5, "share_last_day": 0.5},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_sessions_and_prompts_say_the_same_before_and_after_they_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    for sent in spans() {
        server.takes("/v1/traces", sent.request()).await;
    }
    check(|query| server.sql(query));
    server.stop();
    check(|query| sql(&data, query));
}
