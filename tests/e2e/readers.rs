//! Other programs: the real SDK sends, DuckDB and the `deltalake` package read.

use std::process::Command;

use crate::server::Server;
use crate::skipped::skipped;

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
    let sums = |query: &str| crate::server::sql(&data, query).remove(0);
    let expected = serde_json::json!({
        "spans": sums("SELECT count(*) AS count, sum(input_tokens) AS tokens, sum(duration_ns) AS duration FROM spans"),
        "contents": sums("SELECT count(*) AS count, sum(bytes) AS bytes FROM contents"),
    });
    assert_eq!(expected["spans"]["count"], 4);
    let file = folder.path().join("expected.json");
    std::fs::write(&file, expected.to_string()).unwrap();
    print!("{}", run(Command::new(&python).arg(script("readers.py")).args([&data, &file])));
}
