//! Other programs: the real SDK sends, DuckDB and the `deltalake` package read.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixtures::Capture;
use crate::records;
use crate::server::Server;
use crate::settled;
use crate::skipped::skipped;
use crate::spans::{int, now, request, span, text};

/// The Python that has `tests/python/requirements.txt`, or a word that the test is skipped.
pub(crate) fn python(test: &str) -> Option<String> {
    let python = std::env::var("TRACEWELL_PYTHON").ok();
    if python.is_none() {
        skipped(test, "set TRACEWELL_PYTHON to a Python that has tests/python/requirements.txt (.ci/run makes one)");
    }
    python
}

/// A script of the tests.
pub(crate) fn script(name: &str) -> String {
    format!("{}/../../tests/python/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// What a command prints; it has to succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_exports_and_duckdb_and_deltalake_agree() {
    let Some(python) = python("the_python_sdk_exports_and_duckdb_and_deltalake_agree") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    let traces = run(Command::new(&python).arg(script("sdk.py")).args([&server.grpc, &server.http]));
    let traces: Vec<&str> = traces.lines().collect();
    assert_eq!(traces.len(), 2);
    for trace in &traces {
        let rows = server.sql(&format!(
            "SELECT name, kind, service, request_model, input_tokens, output_tokens FROM spans
             WHERE trace_id = '{trace}' ORDER BY start_time"
        ));
        assert_eq!(
            serde_json::Value::from(rows),
            serde_json::json!([
                { "name": "outer", "kind": "other", "service": "sdk", "request_model": null, "input_tokens": null, "output_tokens": null },
                { "name": "chat gpt-4.1-mini", "kind": "chat", "service": "sdk", "request_model": "gpt-4.1-mini", "input_tokens": 120, "output_tokens": 30 },
            ])
        );
    }
    server.stop();
    assert_eq!(crate::server::sql(&data, "SELECT count(*) AS spans FROM spans")[0]["spans"], 4);
    agree(&python, &data, FACTS);
}

/// Tables, the view that Tracewell answers from them, and sums over both. Every sum is of something.
const FACTS: &[(&str, &str, &str)] = &[
    ("spans", "spans", "count(*) AS count, sum(input_tokens) AS tokens, sum(duration_ns) AS duration"),
    ("contents", "contents", "count(*) AS count, sum(bytes) AS bytes"),
];
const OTHERS: &[(&str, &str, &str)] = &[
    ("logs", "logs", "count(*) AS count, count(DISTINCT trace_id) AS traces, sum(position) AS positions"),
    ("scores", "scores", "count(*) AS count, count(DISTINCT name) AS names"),
];
const DERIVED: &[(&str, &str, &str)] = &[
    ("calls", "llm_calls", "count(*) AS count, sum(input_tokens) AS tokens, count(DISTINCT trace_id) AS traces"),
    ("traces", "trace_parts", "count(*) AS count, sum(span_count) AS spans, sum(call_count) AS calls"),
];

/// DuckDB and `deltalake` say of the tables at `data` what Tracewell says.
fn agree(python: &str, data: &Path, tables: &[(&str, &str, &str)]) {
    let expected = tables.iter().map(|(table, view, sums)| {
        let said = crate::server::sql(data, &format!("SELECT {sums} FROM {view}")).remove(0);
        ((*table).to_owned(), json!({"sums": sums, "said": said}))
    });
    let file = data.with_extension("expected.json");
    std::fs::write(&file, Value::Object(expected.collect()).to_string()).unwrap();
    print!("{}", run(Command::new(python).arg(script("readers.py")).args([data, &file])));
}

/// DuckDB has the rows of a server in the views that both have.
async fn views_agree(python: &str, data: &Path) {
    let server = Server::start(data, &["--no-maintenance"]).await;
    let said = run(Command::new(python).arg(script("views_in_duckdb.py")).arg(data).arg(&server.api));
    assert!(said.contains(" views agree"), "{said}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_agree_on_every_table_whatever_maintenance_did() {
    let Some(python) = python("other_programs_agree_on_every_table_whatever_maintenance_did") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "10ms", "--no-maintenance", "--shards", "1"]).await;
    // Until the log of the table has a checkpoint, which stands for the commits before it.
    let checkpoint = data.join("spans/_delta_log/_last_checkpoint");
    for id in 1.. {
        let body = request(vec![span(u128::from(id), id, "work")]);
        server.takes("/v1/traces", body).await;
        if checkpoint.exists() {
            break;
        }
        assert!(id < 5_000, "no checkpoint was written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Of days long gone; and of today, what stays when those expire.
    for capture in Capture::all() {
        capture.over_http(&server).await;
    }
    let mut asked = span(1, 100_000, "chat m");
    asked.attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.input.messages", "[{\"role\":\"user\",\"content\":\"Where?\"}]"),
        int("gen_ai.usage.input_tokens", 7),
        text("gen_ai.prompt.name", "answer"),
    ];
    let mut tried = span(1, 100_001, "try");
    tried.attributes = vec![text("tracewell.example.id", "example-1")];
    let (name, value) = (("gen_ai.evaluation.name", "tone"), ("gen_ai.evaluation.score.value", "1"));
    let mut judged = records::record("shop", "judge", "gen_ai.evaluation.result", 0, &[name, value]);
    judged.2.time_unix_nano = now();
    let judged = records::request(records::within(judged, 1, 100_000));
    for (path, body) in [("/v1/traces", request(vec![asked, tried])), ("/v1/logs", judged)] {
        server.takes(path, body).await;
    }
    server.stop();
    let prompt = folder.path().join("answer.toml");
    let words = "name = \"answer\"\n[routing]\nmodel = \"m\"\n[[message]]\nrole = \"user\"\ncontent = \"Where?\"\n";
    std::fs::write(&prompt, words).unwrap();
    settled::run(&data, &["prompt", "add", prompt.to_str().unwrap(), "--author", "ann"]);
    let live = ["release", "live", "answer", "--force", "--note", "live before", "--at", "2026-01-01T00:00:00Z"];
    settled::run(&data, &[&live[..], &["--author", "ann"]].concat());

    let facts = [FACTS, OTHERS].concat();
    agree(&python, &data, &facts);
    let all = [facts.as_slice(), DERIVED].concat();
    let expire = ["expire", "--contents", "1ms", "--logs", "1ms", "--scores", "1ms"];
    for (command, tables) in
        [(&["compact"][..], &facts), (&["settle"], &all), (&expire, &facts), (&["vacuum", "--retain", "0s"], &facts)]
    {
        println!("{}", settled::run(&data, command));
        agree(&python, &data, tables);
        if command == ["settle"] {
            views_agree(&python, &data).await;
        }
    }
    assert_eq!(crate::server::sql(&data, "SELECT count(*) AS n FROM scores")[0]["n"], 1, "those of old days expired");
}
