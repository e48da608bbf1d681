//! Captured runs that went wrong, explained from their records alone.

use serde_json::{Value, json};

use super::{get, record, start};
use crate::fixtures::Capture;
use crate::server::Server;

/// The record of each trace of a capture, and the page that is made of it.
async fn opened(server: &Server, capture: &Capture) -> Vec<(Value, String)> {
    let mut found = Vec::new();
    for id in capture.trace_ids() {
        let page = get(server, &format!("/v1/runs/{id}"), "text/html").await;
        found.push((record(server, &id).await, page.text().await.unwrap()));
    }
    found
}

fn calls(record: &Value) -> impl Iterator<Item = &Value> {
    record["calls"].as_array().into_iter().flatten()
}

fn failed(call: &Value) -> bool {
    call["status"] == "error" || call["error_class"].is_string()
}

/// The texts behind what went into a call.
fn input(record: &Value, call: &Value) -> String {
    let hashes = call["input"].as_array().into_iter().flatten().filter_map(|message| message["hash"].as_str());
    hashes.filter_map(|hash| record["contents"][hash].as_str()).collect()
}

/// The mock server fails a request that holds `FAIL` and a status.
#[tokio::test(flavor = "multi_thread")]
async fn a_captured_bad_run_is_explained_from_its_record_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder).await;
    let captures: Vec<Capture> = Capture::all().into_iter().filter(|one| one.scenario.contains("error")).collect();
    for capture in &captures {
        capture.over_http(&server).await;
    }
    let (mut asked, mut not_told) = (0, 0);
    for capture in &captures {
        let name = format!("{}/{}", capture.dialect, capture.scenario);
        let opened = opened(&server, capture).await;
        for (record, page) in &opened {
            let spans = record["spans"].as_array().unwrap();
            assert!(spans.iter().any(|span| span["status"] == "error"), "{name}: {record}");
            for call in calls(record).filter(|call| failed(call)) {
                // How it failed, in one word and in the application's own.
                let class = call["error_class"].as_str().unwrap_or_else(|| panic!("{name}: {call}"));
                assert!(call["error_type"].is_string() || call["status_message"].is_string(), "{name}: {call}");
                assert!(page.contains(class), "{name}: {class} in {page}");
                // What it cost, or why that is not known.
                assert!(call["cost_usd"].is_string() || call["unpriced_reason"].is_string(), "{name}: {call}");
                // What was asked, or that it was not told.
                let told = input(record, call).contains("FAIL") && page.contains("FAIL");
                let missing = record["completeness"]["calls_without_input"].as_array();
                let missing = missing.is_some_and(|ids| ids.contains(&call["span_id"]));
                assert!(told || missing || !capture.tells("FAIL"), "{name}: {call}");
                asked += usize::from(told);
                not_told += usize::from(missing);
            }
        }
        let records = || opened.iter().map(|(record, _)| record);
        for served in capture.truth["calls"].as_array().unwrap() {
            let status = served["error"].as_i64().unwrap();
            let words = format!("FAIL{status}");
            let texts = |record: &Value| record["contents"].to_string();
            assert_eq!(
                records().any(|record| texts(record).contains(&words)),
                capture.tells(&words),
                "{name}: {words}"
            );
            // OpenAI Agents leaves model calls to the OpenAI instrumentation, which was not there.
            if capture.dialect == "otel-genai-openai-agents" {
                assert!(records().all(|record| calls(record).next().is_none()), "{name}");
                continue;
            }
            let class = if status == 429 { "rate_limit" } else { "server" };
            let model = served["model"].as_str().unwrap();
            let is_it = |call: &Value| {
                let names = [&call["request_model"], &call["response_model"]];
                let names_it = names.iter().any(|name| name.as_str().is_some_and(|name| name.contains(model)));
                failed(call) && call["error_class"] == class && (names_it || !capture.tells(model))
            };
            assert!(records().flat_map(calls).any(is_it), "{name}: {class} of {model}");
        }
    }
    assert!(captures.len() > 20 && asked > 20 && not_told > 0, "{}", json!([captures.len(), asked, not_told]));
}
