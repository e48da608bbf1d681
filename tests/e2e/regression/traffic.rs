//! What production sends in the story: an application with the real SDK, or, where it is not installed, spans like its.

use std::process::Command;

use serde_json::{Value, json};

use super::{chat, send, text};
use crate::readers::{run, script};
use crate::server::Server;
use crate::spans::now;

/// Asks a model server `questions` as the application does in that version of its prompt; gives the ids of the runs.
pub(super) async fn traffic(
    server: &Server,
    model: &str,
    (version, instructions): (&str, &str),
    questions: &[&str],
) -> Vec<String> {
    let Some(python) = crate::readers::python("the traffic of the SDK, and spans made by hand are sent instead") else {
        return by_hand(server, (version, instructions), questions).await;
    };
    let mut command = Command::new(python);
    command.arg(script("refund_app.py")).arg(format!("{model}/v1")).args([version, instructions]).args(questions);
    command.envs([
        ("LANGFUSE_HOST", server.http.as_str()),
        ("LANGFUSE_PUBLIC_KEY", "pk-lf-test"),
        ("LANGFUSE_SECRET_KEY", "sk-lf-test"),
    ]);
    // The model server answers meanwhile.
    let told = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["trace_id"].as_str().unwrap().to_owned();
    told.lines().map(line).collect()
}

async fn by_hand(server: &Server, (version, instructions): (&str, &str), questions: &[&str]) -> Vec<String> {
    let mut spans = Vec::new();
    for question in questions {
        let start = now();
        let said = json!([{"type": "text", "content": instructions}]).to_string();
        let mut span = chat(1, question, "No.", false, &[]);
        span["traceId"] = json!(format!("{start:032x}"));
        span["startTimeUnixNano"] = json!(start.to_string());
        span["endTimeUnixNano"] = json!((start + 1_000_000).to_string());
        for attribute in span["attributes"].as_array_mut().unwrap() {
            match attribute["key"].as_str().unwrap() {
                "gen_ai.prompt.version" => *attribute = text("gen_ai.prompt.version", version),
                "gen_ai.system_instructions" => *attribute = text("gen_ai.system_instructions", &said),
                _ => {}
            }
        }
        spans.push(span);
    }
    let runs = spans.iter().map(|span| span["traceId"].as_str().unwrap().to_owned()).collect();
    send(server, spans).await;
    runs
}
