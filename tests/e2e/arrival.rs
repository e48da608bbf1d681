//! Every view answers the same once all has arrived, in whatever order it came, and wherever it was settled in between.

use serde_json::Value;

use crate::fixtures::Capture;
use crate::lookups::rows;
use crate::records::{Record, claude, record, request, within};
use crate::sent::{Sent, span};
use crate::server::Server;
use crate::settled::run;
use crate::spans::text;
use crate::views::rules::rules;
use crate::views::without_receipt;

/// Spans that were sent twice, equally long and with as many attributes each time, and say something else.
fn two_versions() -> Vec<Sent> {
    let s = "two-versions";
    let mut spans = Vec::new();
    let mut twice = |sent: Sent, key: &str, values: [&str; 2]| {
        spans.extend(values.map(|value| sent.clone().with(text(key, value))));
    };
    let works = |sent: Sent, operation: &str| sent.with(text("gen_ai.operation.name", operation));
    let answer = |words: &str| format!(r#"[{{"role":"assistant","parts":[{{"type":"text","content":"{words}"}}]}}]"#);
    let found = |document: &str| format!(r#"[{{"id":"{document}","score":0.5}}]"#);
    twice(span(s, "a", (70, 1), 0, (0, 50)).chat().used(10, 2), "gen_ai.response.id", ["first", "second"]);
    twice(
        span(s, "a", (71, 2), 0, (0, 50)).chat(),
        "gen_ai.output.messages",
        [&answer("Shelf 7."), &answer("Shelf 8.")],
    );
    let tool = |ids| works(span(s, "a", ids, 0, (0, 50)), "execute_tool").with(text("gen_ai.tool.name", "lookup"));
    twice(tool((72, 3)), "gen_ai.tool.call.result", ["7", "8"]);
    twice(
        works(span(s, "a", (73, 4), 0, (0, 50)), "retrieval"),
        "gen_ai.retrieval.documents",
        [&found("doc-7"), &found("doc-8")],
    );
    let trial = span(s, "a", (74, 5), 0, (0, 50)).with(text("tracewell.example.id", "example-1"));
    twice(trial, "tracewell.candidate", ["old", "new"]);
    for name in ["run", "run again"] {
        spans.push(span(s, "a", (75, 6), 0, (0, 50)).chat().named(name));
    }
    // Two spans of one execution, side by side, equally long.
    for id in [7, 8] {
        spans.push(tool((76, id)).with(text("gen_ai.tool.call.id", "call-76")));
    }
    spans
}

/// Records that tell of one thing, at one time, and do not agree.
fn two_words() -> Vec<Record> {
    let judged = |value: &str| {
        let attributes = [("gen_ai.evaluation.name", "Relevance"), ("gen_ai.evaluation.score.value", value)];
        within(record("two-versions", "judge", "gen_ai.evaluation.result", 60, &attributes), 70, 1)
    };
    let decided = |decision: &str| {
        let attributes = [("tool_name", "Bash"), ("tool_use_id", "toolu_1"), ("decision", decision)];
        claude("claude_code.tool_decision", 70, &attributes)
    };
    let ran = claude(
        "claude_code.tool_result",
        80,
        &[("tool_name", "Bash"), ("tool_use_id", "toolu_1"), ("success", "true"), ("duration_ms", "5")],
    );
    vec![judged("0.25"), judged("0.75"), decided("accept"), decided("reject"), ran]
}

/// Requests with traces, and those with logs: the rules of the views, every capture, and what contradicts itself.
fn requests() -> [Vec<(&'static str, Vec<u8>)>; 2] {
    let captures = Capture::all();
    let of_rules = rules().into_iter().flat_map(|rule| rule.spans);
    let spans = of_rules.chain(two_versions()).map(Sent::request);
    let traces = spans.chain(captures.iter().map(|capture| capture.traces.clone()));
    let logs = two_words().into_iter().map(request).chain(captures.iter().filter_map(|capture| capture.logs.clone()));
    [traces.map(|body| ("/v1/traces", body)).collect(), logs.map(|body| ("/v1/logs", body)).collect()]
}

/// The rows of every view, each a line, sorted.
async fn answers(server: &Server) -> Vec<(&'static str, Vec<String>)> {
    let mut answers = Vec::new();
    for view in tracewell_query::VIEWS {
        let rows = without_receipt(rows(server, &format!("SELECT * FROM {}", view.name)).await);
        let mut lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        lines.sort_unstable();
        answers.push((view.name, lines));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_answers_the_same_in_whatever_order_all_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let [traces, logs] = requests();
    let in_turn = [traces.clone(), logs.clone()].concat();
    let backwards: Vec<_> = in_turn.iter().rev().cloned().collect();
    let mut mixed: Vec<_> = in_turn.iter().cloned().enumerate().collect();
    // An order that has nothing to do with the first.
    mixed.sort_by_key(|(position, _)| (position * 2_654_435_761) % 1_000_003);
    let mixed: Vec<_> = mixed.into_iter().map(|(_, request)| request).collect();
    let mut logs_first = [logs, traces].concat();
    // The versions of a span swap their places.
    let middle = logs_first.len() / 2;
    logs_first[middle..].reverse();

    let mut first: Option<Vec<(&str, Vec<String>)>> = None;
    for (turn, requests) in [in_turn, backwards, mixed, logs_first].into_iter().enumerate() {
        let data = folder.path().join(turn.to_string());
        let shards = (turn % 2 + 1).to_string();
        let (early, late) = requests.split_at(requests.len() / 2);
        for part in [early, late] {
            let server =
                Server::start(&data, &["--commit-interval", "1h", "--shards", &shards, "--no-maintenance"]).await;
            for (path, body) in part {
                server.takes(path, body.clone()).await;
            }
            server.stop();
            // What is settled then becomes stale.
            if turn > 1 && part == early {
                run(&data, &["settle"]);
            }
        }
        let server = Server::start(&data, &["--no-maintenance"]).await;
        let found = answers(&server).await;
        let Some(first) = &first else {
            for (view, lines) in &found {
                assert!(!lines.is_empty() || *view == "live_releases", "{view}");
            }
            first = Some(found);
            continue;
        };
        for ((view, lines), (_, expected)) in found.iter().zip(first) {
            let differ = lines.iter().zip(expected).find(|(found, expected)| found != expected);
            assert_eq!(differ, None, "{view}, order {turn}");
            assert_eq!(lines.len(), expected.len(), "{view}, order {turn}");
        }
    }
}
