//! The same question has the same answer wherever rows are: not yet written, in files, in both, compacted and settled;
//! and whether a filter reaches the files or is applied behind them.

use std::path::Path;
use std::process::Command;

use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::server::{BINARY, Server, client};
use crate::spans::{int, request, span, text};

/// 2026-05-04 00:00 UTC.
const MIDNIGHT: u64 = 1_777_852_800_000_000_000;
const HOUR: u64 = 3_600_000_000_000;
const SPANS: u64 = 120;
/// Nothing is written until the server stops.
const LATE: [&str; 3] = ["--commit-interval", "1h", "--no-maintenance"];

/// The span of a number: every third a model call, spread over three days.
fn of(number: u64) -> Span {
    let mut span = span(u128::from(number / 4 + 1), number + 1, ["load", "look up", "answer"][number as usize % 3]);
    span.start_time_unix_nano = MIDNIGHT + (number * 37 % 72) * HOUR;
    span.end_time_unix_nano = span.start_time_unix_nano + (number % 7) * 1_000_000;
    if number.is_multiple_of(3) {
        span.attributes = vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.request.model", ["small", "large"][number as usize / 3 % 2]),
            int("gen_ai.usage.input_tokens", i64::try_from(number * 11 % 50).unwrap()),
            int("gen_ai.usage.output_tokens", 1),
        ];
    }
    span
}

async fn send(server: &Server, numbers: std::ops::Range<u64>) {
    let body = request(numbers.map(of).collect());
    server.takes("/v1/traces", body).await;
}

/// A server whose rows were written after each part but the last.
async fn with_parts(data: &Path, parts: &[std::ops::Range<u64>]) -> Server {
    let mut server = Server::start(data, &LATE).await;
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            server.stop();
            server = Server::start(data, &LATE).await;
        }
        send(&server, part.clone()).await;
    }
    server
}

/// A server in each state.
async fn in_all_states(folder: &Path) -> Vec<(&'static str, Server)> {
    let half = SPANS / 2;
    let data = |state: &str| folder.join(state);
    let unwritten = with_parts(&data("unwritten"), std::slice::from_ref(&(0..SPANS))).await;
    let written = with_parts(&data("written"), &[0..SPANS, 0..0]).await;
    let mixed = with_parts(&data("mixed"), &[0..half, half..SPANS]).await;
    with_parts(&data("compacted"), &[0..half, half..SPANS]).await.stop();
    for command in ["compact", "settle"] {
        let done = Command::new(BINARY).arg(command).arg("--data").arg(data("compacted")).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    let compacted = Server::start(&data("compacted"), &LATE).await;
    vec![("unwritten", unwritten), ("written", written), ("mixed", mixed), ("compacted", compacted)]
}

fn condition() -> impl Strategy<Value = String> {
    let number = 0..SPANS;
    let leaf = prop_oneof![
        number.clone().prop_map(|n| format!("trace_id = '{:032x}'", n / 4 + 1)),
        number.clone().prop_map(|n| format!("span_id = '{:016x}'", n + 1)),
        prop::collection::vec(number.clone(), 1..4).prop_map(|all| {
            let ids: Vec<String> = all.iter().map(|n| format!("'{:016x}'", n + 1)).collect();
            format!("span_id IN ({})", ids.join(", "))
        }),
        (0..50_u64).prop_map(|n| format!("input_tokens >= {n}")),
        (0..50_u64).prop_map(|n| format!("input_tokens < {n}.5")),
        (0..7_u64, 0..7_u64).prop_map(|(low, high)| format!("duration_ns BETWEEN {low}000000 AND {high}000000")),
        (4..7_u64, 0..24_u64).prop_map(|(day, hour)| format!("start_time >= '2026-05-{day:02}T{hour:02}:00:00Z'")),
        (3..8_u64).prop_map(|day| format!("date = '2026-05-{day:02}'")),
        (3..8_u64).prop_map(|day| format!("date < '2026-05-{day:02}'")),
        prop::sample::select(vec![
            "request_model = 'small'",
            "request_model IS NULL",
            "name LIKE 'l%'",
            "kind = 'chat'"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

pub(crate) async fn ask(server: &Server, sql: &str) -> Value {
    let answer = client().post(format!("{}/v1/sql", server.api)).body(sql.to_owned()).send().await.unwrap();
    let status = answer.status();
    let rows = answer.json().await.unwrap();
    assert!(status.is_success(), "{sql}: {rows}");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_finds_the_same_rows_wherever_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let servers = in_all_states(folder.path()).await;
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&condition(), |condition| {
        for of in ["spans", "llm_calls"] {
            let question = |condition: &str| format!("SELECT span_id FROM {of} WHERE {condition} ORDER BY span_id");
            // A condition that nothing can be told from before each row is looked at.
            let behind = format!("CASE WHEN {condition} THEN true ELSE false END");
            let expected = block_in_place(|| Handle::current().block_on(ask(&servers[0].1, &question(&behind))));
            for (state, server) in &servers {
                for condition in [&condition, &behind] {
                    let found = block_in_place(|| Handle::current().block_on(ask(server, &question(condition))));
                    prop_assert_eq!(&found, &expected, "{} {}: {}", state, of, condition);
                }
            }
        }
        Ok(())
    });
    checked.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_runs_are_the_same_whether_few_or_all_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let servers = in_all_states(folder.path()).await;
    let mut found = 0;
    for condition in [
        "true",
        "call_count > 1",
        "root_name = 'answer'",
        "start_time >= arrow_cast(1777906800000000, 'Timestamp(Microsecond, Some(\"UTC\"))')",
        "start_time < '2026-05-05T00:00:00Z' AND date >= '2026-05-04'",
        "start_time BETWEEN '2026-05-04T05:00:00Z' AND '2026-05-04T11:00:00Z'",
        "trace_id IN (SELECT trace_id FROM llm_calls WHERE request_model = 'small')",
    ] {
        for (of, pages) in [("runs", &[(1, 0), (3, 2), (50, 0)][..]), ("traces", &[(7, 0)])] {
            let sorted = |by: &str| {
                format!(
                    "SELECT trace_id, start_time, date, span_count, input_tokens, cost_usd FROM {of} AS r
                    WHERE {condition} ORDER BY {by} DESC, trace_id"
                )
            };
            // What is sorted by an expression is sorted as a whole.
            let all = ask(&servers[0].1, &sorted("extract(epoch FROM start_time)")).await;
            for (limit, offset) in pages {
                let page: Vec<&Value> = all.as_array().unwrap().iter().skip(*offset).take(*limit).collect();
                found += page.len() * servers.len();
                for (state, server) in &servers {
                    let newest = ask(server, &format!("{} LIMIT {limit} OFFSET {offset}", sorted("start_time"))).await;
                    assert_eq!(newest, json!(page), "{state} {of} {condition} {limit} {offset}");
                }
            }
        }
    }
    assert!(found > 400, "the questions found {found} rows");
}
