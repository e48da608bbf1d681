//! Rules that judge what is in the tables.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::server::{BINARY, Server, rows, sql};

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--data", data.to_str().unwrap()]);
    command
}

fn evaluate(data: &Path, arguments: &[&str]) -> Vec<Value> {
    let period = ["--since", "2026-11-16", "--until", "2026-11-20", "--format", "json"];
    rows(&mut command(data, &[&["evaluate"], arguments, &period].concat()), "evaluate")
}

fn known(data: &Path) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/queries/known.jsonl");
    assert!(command(data, &["import", file.to_str().unwrap()]).status().unwrap().success());
}

#[test]
fn what_a_rule_says_is_kept_once_and_superseded_when_it_changes() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    known(&data);
    // Fifteen answers, of which one refuses; three runs with tools, of which one calls three times alike.
    let would = evaluate(&data, &["not_refused", "no_tool_loop", "--dry-run"]);
    let told = |word: &str, refusals: &str, loops: &str| json!([{"evaluator": "not_refused", "judged": "15", word: refusals}, {"evaluator": "no_tool_loop", "judged": "3", word: loops}]);
    assert_eq!(json!(would), told("would_keep", "15", "3"));
    let count = || sql(&data, "SELECT count(*) AS n FROM scores WHERE author LIKE 'evaluator/%'")[0]["n"].clone();
    assert_eq!(count(), 0);
    assert_eq!(json!(evaluate(&data, &["not_refused", "no_tool_loop"])), told("kept", "15", "3"));
    assert_eq!(json!(evaluate(&data, &["not_refused", "no_tool_loop"])), told("kept", "0", "0"));
    assert_eq!(json!(evaluate(&data, &["not_refused", "no_tool_loop", "-p", "least=4"])), told("kept", "0", "1"));
    assert_eq!(count(), 19);
    let words = "SELECT value, source, author, explanation, superseded_at IS NULL AS last FROM evaluations
        WHERE name = 'no_tool_loop' AND trace_id LIKE '%55' ORDER BY time";
    assert_eq!(
        json!(sql(&data, words)),
        json!([
            {"value": 0.0, "source": "code", "author": "evaluator/no_tool_loop",
                "explanation": "search_orders called 3 times alike", "last": false},
            {"value": 1.0, "source": "code", "author": "evaluator/no_tool_loop", "explanation": null, "last": true},
        ])
    );
}

#[test]
fn a_sample_is_the_same_runs_for_every_rule() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    known(&data);
    let judged = evaluate(&data, &["within_latency", "not_refused", "--sample", "50%"]);
    let count = |at: usize| judged[at]["judged"].as_str().unwrap().parse::<usize>().unwrap();
    assert!((1..17).contains(&count(0)) && (1..15).contains(&count(1)), "{judged:?}");
    let runs = |name: &str| -> BTreeSet<String> {
        let query = format!("SELECT DISTINCT trace_id FROM evaluations WHERE author = 'evaluator/{name}'");
        sql(&data, &query).iter().map(|row| row["trace_id"].as_str().unwrap().to_owned()).collect()
    };
    let (timed, answered) = (runs("within_latency"), runs("not_refused"));
    assert!(answered.is_subset(&timed), "{answered:?} {timed:?}");
}

#[test]
fn rules_of_ones_own_are_checked() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    known(&data);
    let folder = temporary.path().join("own");
    std::fs::create_dir_all(folder.join("evaluators")).unwrap();
    let rule = |name: &str, sql: &str| {
        let text = format!("-- title: {name}\n-- question: Is it?\n{sql}");
        std::fs::write(folder.join(format!("evaluators/{name}.sql")), text).unwrap();
    };
    rule("long_session", "SELECT conversation_id AS session_id, count(*) > 2 AS value FROM runs GROUP BY 1");
    rule("aimless", "SELECT 1 AS value");
    rule("mute", "SELECT trace_id FROM runs");
    rule("wordy", "SELECT trace_id, root_name AS value FROM runs");
    let run = |arguments: &[&str]| -> Output {
        let arguments = [&["evaluate"], arguments].concat();
        command(&data, &arguments).env("TRACEWELL_QUERY_FOLDER", &folder).output().unwrap()
    };
    assert!(run(&["long_session"]).status.success());
    // Sessions c1, c2, c3, c4, d1, d2, d3; c2 has four runs, d2 three, and d3 four.
    let long = "SELECT session_id FROM evaluations WHERE target = 'session' AND value = 1 ORDER BY 1";
    let sessions: Vec<Value> = sql(&data, long).iter().map(|row| row["session_id"].clone()).collect();
    assert_eq!(sessions, ["c2", "d2", "d3"]);
    for (name, reason) in [
        ("aimless", "gives no column `trace_id`"),
        ("mute", "gives no column `value`"),
        ("wordy", "a number or a truth is wanted"),
        ("nobody", "there is no evaluator `nobody`"),
    ] {
        let output = run(&[name]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(reason), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_and_overlap_are_judged_and_judges_are_not() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let server = Server::start(&data, &[]).await;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let schema = r#"{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","required":["days"],"properties":{"days":{"type":"integer"}}}}}"#;
    let call = |number: u64, parent: &str, answer: &str| {
        let output =
            json!([{"role": "assistant", "parts": [{"type": "text", "content": answer}], "finish_reason": "stop"}]);
        json!({"traceId": format!("{number:032x}"), "spanId": format!("{number:014x}01"), "parentSpanId": parent,
            "name": "chat", "startTimeUnixNano": "1794819600000000000", "endTimeUnixNano": "1794819601000000000",
            "attributes": [text("gen_ai.operation.name", "chat"), text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "gpt-4.1-mini"), text("gen_ai.request.response_format", schema),
                text("gen_ai.output.messages", &output.to_string())]})
    };
    let retrieval = json!({"traceId": format!("{:032x}", 1), "spanId": format!("{:014x}02", 1), "name": "retrieval notes",
        "startTimeUnixNano": "1794819599000000000", "endTimeUnixNano": "1794819599500000000",
        "attributes": [text("gen_ai.operation.name", "retrieval"),
            text("gen_ai.retrieval.documents", r#"[{"id":"a","content":"Refunds take five working days."}]"#)]});
    let judge = json!({"traceId": format!("{:032x}", 3), "spanId": "00000000000000aa", "name": "judge",
        "startTimeUnixNano": "1794819600000000000", "endTimeUnixNano": "1794819601000000000",
        "attributes": [text("openinference.span.kind", "EVALUATOR")]});
    let spans = json!([
        call(1, "", r#"{"days": 5, "note": "refunds take long"}"#),
        retrieval,
        call(2, "", r#"{"days": "five"}"#),
        judge,
        call(3, "00000000000000aa", r#"{"days": 1}"#),
    ]);
    let body = json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]});
    let sent = server.post("/v1/traces", "application/json", body.to_string().into_bytes()).await.unwrap();
    assert_eq!(sent.status(), 200);
    evaluate(&data, &["schema_match", "valid_json", "grounding_overlap"]);
    let said = server.sql("SELECT name, right(trace_id, 1) AS run, value FROM evaluations ORDER BY 1, 2");
    // Words of four letters and more in the answer: days, note, refunds, take, long; in the document: days, refunds, take.
    assert_eq!(
        json!(said),
        json!([
            {"name": "grounding_overlap", "run": "1", "value": 0.6},
            {"name": "schema_match", "run": "1", "value": 1.0},
            {"name": "schema_match", "run": "2", "value": 0.0},
            {"name": "valid_json", "run": "1", "value": 1.0},
            {"name": "valid_json", "run": "2", "value": 1.0},
        ])
    );
}

/// Run 4 is the application's: an agent, its call, and a check of the answer with a judge's call two levels below it. Run
/// 5 is an evaluator's own, and so is all of its session.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_a_check_inside_is_judged_and_the_check_is_not() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    let folder = temporary.path().join("own");
    std::fs::create_dir_all(folder.join("evaluators")).unwrap();
    let rule = |name: &str, sql: &str| {
        std::fs::write(
            folder.join(format!("evaluators/{name}.sql")),
            format!("-- title: {name}\n-- question: Is it?\n{sql}"),
        )
        .unwrap();
    };
    rule("called", "SELECT trace_id, span_id, true AS value FROM llm_calls");
    rule("ran", "SELECT trace_id, true AS value FROM runs");
    rule(
        "met",
        "SELECT conversation_id AS session_id, true AS value FROM runs WHERE conversation_id IS NOT NULL GROUP BY 1",
    );
    let server = Server::start(&data, &[]).await;
    let span = |trace: u64, number: u64, above: u64, kind: &str, session: &str| {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let above = if above == 0 { String::new() } else { format!("{above:016x}") };
        let mut attributes = vec![text("openinference.span.kind", kind)];
        if kind == "LLM" {
            attributes.push(text("llm.model_name", "gpt-4.1-mini"));
        }
        if !session.is_empty() {
            attributes.push(text("session.id", session));
        }
        json!({"traceId": format!("{trace:032x}"), "spanId": format!("{number:016x}"), "parentSpanId": above, "name": kind,
            "startTimeUnixNano": "1794819600000000000", "endTimeUnixNano": "1794819601000000000", "attributes": attributes})
    };
    let spans = json!([
        span(4, 0x41, 0, "AGENT", "shop"),
        span(4, 0x42, 0x41, "LLM", ""),
        span(4, 0x43, 0x41, "EVALUATOR", ""),
        span(4, 0x44, 0x43, "CHAIN", ""),
        span(4, 0x45, 0x44, "LLM", ""),
        span(5, 0x51, 0, "EVALUATOR", "court"),
        span(5, 0x52, 0x51, "LLM", ""),
    ]);
    let body = json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": spans}]}]});
    let sent = server.post("/v1/traces", "application/json", body.to_string().into_bytes()).await.unwrap();
    assert_eq!(sent.status(), 200);
    let mut judge = command(&data, &["evaluate", "called", "ran", "met", "--format", "json"]);
    let judged = rows(judge.env("TRACEWELL_QUERY_FOLDER", &folder), "evaluate");
    let one = |name: &str| json!({"evaluator": name, "judged": "1", "kept": "1"});
    assert_eq!(json!(judged), json!([one("called"), one("ran"), one("met")]));
    let said = server
        .sql("SELECT name, right(trace_id, 1) AS run, right(span_id, 2) AS span, session_id FROM scores ORDER BY name");
    assert_eq!(
        json!(said),
        json!([
            {"name": "called", "run": "4", "span": "42", "session_id": null},
            {"name": "met", "run": null, "span": null, "session_id": "shop"},
            {"name": "ran", "run": "4", "span": null, "session_id": null},
        ])
    );
}

/// What one server judged the others neither judge nor keep again, though they cannot see it before it is committed.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_one_judges() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    known(&data);
    let settings = temporary.path().join("tracewell.toml");
    let text = "[evaluate]\nrules = [\"tools_work\"]\ninterval = \"7d\"\nback = \"1000d\"\n";
    std::fs::write(&settings, text).unwrap();
    let second = temporary.path().join("second-wal");
    let common = ["--config", settings.to_str().unwrap(), "--no-maintenance", "--commit-interval", "1h"];
    let url = data.to_str().unwrap();
    let with_log = [&common[..], &["--wal", second.to_str().unwrap()]].concat();
    let (one, other) =
        tokio::join!(Server::start_at(url, &data, &common, &[]), Server::start_at(url, &data, &with_log, &[]));
    let judged = || {
        let sql = "SELECT count(*) AS n FROM scores WHERE author = 'evaluator/tools_work'";
        let count = |server: &Server| server.sql(sql)[0]["n"].as_i64().unwrap();
        (count(&one), count(&other))
    };
    crate::reports::until("nobody judged", || judged() != (0, 0));
    // As long as the other may need to find the same.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let (of_one, of_other) = judged();
    assert_eq!((of_one + of_other, of_one * of_other), (3, 0), "three runs have tools");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_judges_by_itself() {
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("data");
    known(&data);
    let settings = temporary.path().join("tracewell.toml");
    let rules = |names: &str| {
        std::fs::write(&settings, format!("[evaluate]\nrules = [{names}]\ninterval = \"1s\"\nback = \"1000d\"\n"))
            .unwrap();
    };
    rules("\"tools_work\", \"tool_loops\"");
    let refused = command(&data, &["serve", "--config", settings.to_str().unwrap()]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("`tool_loops`, which is no evaluator"), "{error}");
    rules("\"tools_work\"");
    let server = Server::start(&data, &["--config", settings.to_str().unwrap()]).await;
    let said =
        || server.sql("SELECT count(*) AS n, min(value) AS least FROM scores WHERE author = 'evaluator/tools_work'");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while said()[0]["n"] == 0 {
        assert!(std::time::Instant::now() < deadline, "nothing was judged");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // Another round adds nothing.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(json!(said()), json!([{"n": 3, "least": 1.0}]));
}
