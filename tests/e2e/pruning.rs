//! A filter on the date of a view keeps far dates from being read, and changes no row.

use std::collections::BTreeSet;
use std::process::Command;

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::server::{BINARY, Server, sql};
use crate::spans::{now, request, span, text};

const MINUTE: u64 = 60 * 1_000_000_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// Dates with runs, two days apart: a view with a reach of a day needs no other's facts.
const RUNS: u64 = 12;

/// Midnight before the runs.
fn midnight() -> u64 {
    (now() / DAY - 2 * RUNS - 2) * DAY
}

fn at(start: u64, trace: u128, id: u64, parent: u64, attributes: &[(&str, &str)]) -> Span {
    let mut span = span(trace, id, "step");
    (span.start_time_unix_nano, span.end_time_unix_nano) = (start, start + 2 * MINUTE);
    if parent != 0 {
        span.parent_span_id = parent.to_be_bytes().to_vec();
    }
    span.attributes = attributes.iter().map(|(key, value)| text(key, value)).collect();
    span
}

/// A run that begins a minute before midnight; its tool is told of by a span of either date.
fn run(number: u64) -> Vec<Span> {
    let (start, trace) = (midnight() + (2 * number + 1) * DAY - MINUTE, u128::from(number) + 1);
    let tool = [("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "look"), ("gen_ai.tool.call.id", "c")];
    let asked = r#"[{"role":"user","parts":[{"type":"text","content":"Where is it?"}]}]"#;
    let chat = [("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m"), ("gen_ai.input.messages", asked)];
    let found = r#"[{"id":"doc-1","score":0.5,"content":"Shelf 7"}]"#;
    let retrieval =
        [("gen_ai.operation.name", "retrieval"), ("gen_ai.retrieval.documents", found), ("litellm.team.id", "shelf")];
    vec![
        at(start, trace, 1, 0, &[("gen_ai.operation.name", "invoke_agent"), ("user.id", "ann")]),
        at(start + 1, trace, 2, 1, &chat),
        at(start + 2, trace, 3, 1, &tool),
        at(start + 2 * MINUTE, trace, 4, 3, &tool),
        at(start + 3, trace, 5, 1, &retrieval),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_on_date_reaches_the_files_of_every_view_and_changes_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h", "--no-maintenance"]).await;
    for number in 0..RUNS {
        server.takes("/v1/traces", request(run(number))).await;
    }
    server.stop();
    let place = data.to_str().unwrap();
    for command in ["compact", "settle"] {
        let done = Command::new(BINARY).args([command, "--data", place]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let day = |number: u64| {
        let days = i32::try_from(midnight() / DAY + 2 * number).unwrap();
        chrono::NaiveDate::from_num_days_from_ce_opt(719_163 + days).unwrap().to_string()
    };
    let wanted = day(RUNS / 2);
    for (view, reach) in [("tool_executions", 1), ("tool_calls", 1), ("retrievals", 1), ("messages", 1), ("traces", 7)]
    {
        let all = sql(&data, &format!("SELECT * FROM {view} ORDER BY start_time, trace_id"));
        let of_date: Vec<Value> = all.into_iter().filter(|row| row["date"] == wanted.as_str()).collect();
        assert_eq!(of_date.len(), 1, "{view}");
        let filter = format!("SELECT * FROM {view} WHERE date = DATE '{wanted}' ORDER BY start_time, trace_id");
        assert_eq!(sql(&data, &filter), of_date, "{view}");

        let plan = sql(&data, &format!("EXPLAIN FORMAT INDENT {filter}"));
        let plan: String = plan.iter().map(|row| row["plan"].as_str().unwrap()).collect();
        let read: BTreeSet<&str> = plan.split("/date=").skip(1).map(|rest| &rest[..10]).collect();
        let far = |date: &str| {
            let parse = |date: &str| date.parse::<chrono::NaiveDate>().unwrap();
            (parse(date) - parse(&wanted)).num_days().abs() > reach
        };
        assert!(read.contains(wanted.as_str()) && !read.iter().any(|date| far(date)), "{view} reads {read:?}");
    }
    assert_eq!(sql(&data, "SELECT DISTINCT team FROM retrievals"), [json!({ "team": "shelf" })]);

    // The root alone names the user. Who does not ask for what the run says does not read what is settled of it.
    for (view, own) in
        [("tool_calls", "tool_name, result"), ("retrievals", "position, text"), ("messages", "role, content")]
    {
        let settled = |columns: &str| {
            let plan =
                sql(&data, &format!("EXPLAIN FORMAT INDENT SELECT {columns} FROM {view} WHERE date = DATE '{wanted}'"));
            let plan: String = plan.iter().map(|row| row["plan"].as_str().unwrap()).collect();
            ["calls", "traces"].map(|table| plan.contains(&format!("data/{table}/date=")))
        };
        assert_eq!(settled(own), [false, false], "{view}");
        assert_eq!(settled("user_id"), [view == "messages", true], "{view}");
        assert_eq!(settled("is_trial"), [false, true], "{view}");
        assert_eq!(
            sql(&data, &format!("SELECT DISTINCT user_id FROM {view}")),
            [json!({ "user_id": "ann" })],
            "{view}"
        );
        let count =
            |condition: &str| sql(&data, &format!("SELECT count(*) AS n FROM {view}{condition}"))[0]["n"].clone();
        assert_eq!(count(""), RUNS, "{view}");
        assert_eq!(count(" WHERE user_id = 'ann' AND NOT is_trial"), RUNS, "{view}");
    }
}
