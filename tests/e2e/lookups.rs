//! A trace that is looked up alone, and a day that is worked out part by part, are what they are among all others,
//! though calls are found across traces.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fixtures::Capture;
use crate::sent::{Sent, requests, span};
use crate::server::Server;
use crate::states::ask;
use crate::views::rules::rules;

/// Views put together from rows of several traces, and how many traces are looked up at once.
const VIEWS: [(&str, usize); 4] = [("llm_calls", 1), ("tool_calls", 5), ("runs", 5), ("messages", 50)];

/// Rows in an order that does not depend on the plan.
fn sorted(rows: Vec<Value>) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.sort();
    rows
}

/// The rows of an answer.
pub(crate) async fn rows(server: &Server, sql: &str) -> Vec<Value> {
    match ask(server, sql).await {
        Value::Array(rows) => rows,
        other => panic!("{sql}: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_is_looked_up_is_what_it_is_among_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &["--commit-interval", "1h", "--no-maintenance"]).await;
    for capture in Capture::all() {
        capture.over_http(&server).await;
    }
    for sent in rules().into_iter().flat_map(|rule| rule.spans) {
        server.takes("/v1/traces", sent.request()).await;
    }
    for (view, at_once) in VIEWS {
        let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for row in rows(&server, &format!("SELECT * FROM {view}")).await {
            // A record may name no trace.
            let Some(trace) = row["trace_id"].as_str() else { continue };
            traces.entry(trace.to_owned()).or_default().push(row);
        }
        assert!(traces.len() > 10, "{view} has {} traces", traces.len());
        let traces: Vec<(String, Vec<Value>)> = traces.into_iter().collect();
        for some in traces.chunks(at_once) {
            let ids: Vec<String> = some.iter().map(|(trace, _)| format!("'{trace}'")).collect();
            let sql = format!("SELECT * FROM {view} WHERE trace_id IN ({})", ids.join(", "));
            let expected = some.iter().flat_map(|(_, rows)| rows.clone()).collect();
            assert_eq!(sorted(rows(&server, &sql).await), sorted(expected), "{sql}");
        }
    }
}

/// With this memory for queries there are three parts of these traces: calls are thought to take 32 KiB, others 8 KiB.
const MEMORY: &str = "256MiB";
const TRACES: u64 = 12_000;

/// A run of three spans that calls a model once; every third call is seen by a second instrumentation, in a trace of
/// its own.
fn run(number: u64) -> Vec<Sent> {
    let (trace, id, from) = (u128::from(number + 1), 10 * (number + 1), 100 * number);
    let mut spans = vec![
        span("shop", "app", (trace, id), 0, (from, from + 90)),
        span("shop", "sdk", (trace, id + 1), id, (from + 10, from + 80))
            .chat()
            .response(&format!("response-{number}"))
            .used(100, 10),
        span("shop", "app", (trace, id + 2), id, (from + 80, from + 90)),
    ];
    if number.is_multiple_of(3) {
        let twin = span("shop", "gateway", (trace + (1 << 64), id + 3), 0, (from + 11, from + 79));
        spans.push(twin.chat().response(&format!("response-{number}")).used(100, 10));
    }
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_does_not_fit_into_memory_at_once_is_worked_out_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_at(
        data.to_str().unwrap(),
        &data,
        &["--commit-interval", "1h", "--no-maintenance"],
        &[("TRACEWELL_QUERY_MEMORY", MEMORY)],
    )
    .await;
    let spans: Vec<Sent> = (0..TRACES).flat_map(run).collect();
    for some in spans.chunks(1_000) {
        server.takes("/v1/traces", requests(some)).await;
    }
    // It ended before it began, and says nothing of when it ended.
    let broken = span("shop", "sdk", (1 << 70, 7), 0, (10_000, 10_010)).chat().response("broken").used(100, 10);
    let broken = broken.but(|span| span.end_time_unix_nano = 0);
    server.takes("/v1/traces", requests(&[broken])).await;
    let calls = "SELECT count(*) AS calls, count(DISTINCT response_id) AS responses, sum(input_tokens) AS tokens,
        sum(duplicate_spans) AS duplicates FROM llm_calls";
    let (all, twins) = (TRACES + 1, TRACES / 3);
    let expected = json!([{"calls": all, "responses": all, "tokens": 100 * all, "duplicates": twins}]);
    assert_eq!(ask(&server, calls).await, expected);
    let runs = "SELECT count(*) AS runs, sum(span_count) AS spans, sum(call_count) AS calls FROM runs";
    let expected = json!([{"runs": all, "spans": 3 * TRACES + 1, "calls": all}]);
    assert_eq!(ask(&server, runs).await, expected);
}
