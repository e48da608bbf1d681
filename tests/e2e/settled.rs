//! Settled dates answer as unsettled ones do, and notice what changes them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::server::{BINARY, Server, sql};
use crate::spans::{int, now, request, span, text};

const MINUTE: u64 = 60 * 1_000_000_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// Midnight ten days ago.
fn midnight() -> u64 {
    (now() / DAY - 10) * DAY
}

/// A span of a minute that begins at `start`.
fn at(start: u64, trace: u128, id: u64, parent: u64, name: &str) -> Span {
    let mut span = span(trace, id, name);
    (span.start_time_unix_nano, span.end_time_unix_nano) = (start, start + MINUTE);
    if parent != 0 {
        span.parent_span_id = parent.to_be_bytes().to_vec();
    }
    span
}

fn chat(mut span: Span, input: i64) -> Span {
    span.attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "m"),
        int("gen_ai.usage.input_tokens", input),
        int("gen_ai.usage.output_tokens", 1),
    ];
    span
}

/// A run over midnight, whose root knows the session; and one of the day before.
fn first() -> Vec<u8> {
    let midnight = midnight();
    let mut root = at(midnight - 10 * MINUTE, 1, 1, 0, "run");
    root.end_time_unix_nano = midnight + 20 * MINUTE;
    root.attributes.push(text("session.id", "s-1"));
    request(vec![
        root,
        chat(at(midnight - 5 * MINUTE, 1, 2, 1, "before"), 10),
        chat(at(midnight + 5 * MINUTE, 1, 3, 1, "after"), 20),
        chat(at(midnight - 600 * MINUTE, 2, 4, 0, "alone"), 30),
    ])
}

const CALLS: &str = "SELECT span_id, date, input_tokens, conversation_id FROM llm_calls ORDER BY span_id";
const TRACES: &str = "SELECT trace_id, span_count, call_count, input_tokens, conversation_id, root_name, duration_ns, models \
                      FROM traces ORDER BY trace_id";

pub(crate) fn run(data: &Path, arguments: &[&str]) -> String {
    let output = Command::new(BINARY).args(arguments).args(["--data", data.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a query of the calls has to work anything out.
pub(crate) fn is_settled(data: &Path, condition: &str) -> bool {
    let plan = sql(data, &format!("EXPLAIN SELECT * FROM llm_calls {condition}"));
    !Value::from(plan).to_string().contains("InTurn: calls")
}

async fn post(server: &Server, body: Vec<u8>) {
    server.takes("/v1/traces", body).await;
}

/// The calls, with the traces' sums, by hand: `late` is a span of the run that came last.
fn check(data: &Path, late: bool) {
    let id = |id: u64| format!("{id:016x}");
    let (today, yesterday) = (date(midnight()), date(midnight() - DAY));
    let mut calls = vec![
        json!({"span_id": id(2), "date": yesterday, "input_tokens": 10, "conversation_id": "s-1"}),
        json!({"span_id": id(3), "date": today, "input_tokens": 20, "conversation_id": "s-1"}),
        json!({"span_id": id(4), "date": yesterday, "input_tokens": 30, "conversation_id": null}),
    ];
    if late {
        calls.push(json!({"span_id": id(5), "date": today, "input_tokens": 40, "conversation_id": "s-1"}));
    }
    assert_eq!(sql(data, CALLS), calls);
    let trace = |trace: u128, spans: u64, calls: u64, tokens: u64, session: Value, root: &str, minutes: u64| {
        json!({
            "trace_id": format!("{trace:032x}"), "span_count": spans, "call_count": calls, "input_tokens": tokens,
            "conversation_id": session, "root_name": root, "duration_ns": minutes * MINUTE, "models": ["m"]
        })
    };
    let (spans, tokens, minutes) = if late { (4, 70, 100) } else { (3, 30, 30) };
    let run = trace(1, spans, spans - 1, tokens, json!("s-1"), "run", minutes);
    assert_eq!(sql(data, TRACES), [run, trace(2, 1, 1, 30, Value::Null, "alone", 1)]);
}

fn date(nanos: u64) -> String {
    tracewell_model::time::Day::of(nanos as i64).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_dates_answer_as_before_and_notice_late_spans() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--no-maintenance"]).await;
    post(&server, first()).await;
    check(&data, false);
    server.stop();
    check(&data, false);
    assert!(!is_settled(&data, ""));

    let out = run(&data, &["settle"]);
    assert!(out.contains(&format!("calls {}: 2 rows", date(midnight() - DAY))), "{out}");
    assert!(out.contains(&format!("traces {}: 1 row", date(midnight()))), "{out}");
    check(&data, false);
    assert!(is_settled(&data, ""));
    assert!(run(&data, &["settle"]).contains("calls: nothing to settle"));
    let stored = sql(&data, "SELECT * FROM llm_calls ORDER BY span_id");

    // A late span, beyond the first hour of its day, is seen as soon as it is acknowledged.
    let late = chat(at(midnight() + 89 * MINUTE, 1, 5, 1, "late"), 40);
    let server = Server::start(&data, &["--no-maintenance"]).await;
    post(&server, request(vec![late])).await;
    check(&data, true);
    assert!(is_settled(&data, &format!("WHERE date = '{}'", date(midnight() - DAY))), "the day before does not change");
    assert!(!is_settled(&data, &format!("WHERE date = '{}'", date(midnight()))));
    server.stop();
    check(&data, true);
    run(&data, &["settle"]);
    check(&data, true);
    assert!(is_settled(&data, ""));
    let mut again = sql(&data, "SELECT * FROM llm_calls ORDER BY span_id");
    assert_eq!(again.pop().unwrap()["name"], "late");
    assert_eq!(again, stored);

    // Compaction moves rows and changes none.
    assert!(run(&data, &["compact"]).contains("spans: 3 files"));
    run(&data, &["settle"]);
    assert!(is_settled(&data, ""));
    check(&data, true);
    assert!(run(&data, &["check"]).contains("all is well"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_settles_dates_that_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = folder.path().join("tracewell.toml");
    std::fs::write(&settings, "[maintenance]\ninterval = '50ms'\nsettle_after = '1ms'\n").unwrap();
    let server = Server::start(&data, &["--config", settings.to_str().unwrap(), "--commit-interval", "50ms"]).await;
    post(&server, first()).await;
    post(&server, request(vec![chat(span(9, 9, "today"), 90)])).await;
    let begun = Instant::now();
    let past = format!("WHERE date < '{}'", date(now() - DAY));
    while !is_settled(&data, &past) {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was settled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!is_settled(&data, ""), "today is not over");
    let tokens = sql(&data, "SELECT sum(input_tokens) AS tokens, count(*) AS calls FROM llm_calls");
    assert_eq!(tokens, [json!({"tokens": 150, "calls": 4})]);
    server.stop();
}
