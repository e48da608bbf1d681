//! Compaction, retention and vacuum: as commands, and in the background of a server.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{BINARY, PROTOBUF, Server, client, sql};
use crate::spans::{now, request, span, text};

fn run(data: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).args(["--data", data.to_str().unwrap()]).output().unwrap()
}

/// What a command that succeeds prints.
fn tracewell(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{arguments:?}\n{out}\n{err}");
    println!("$ tracewell {}\n{out}{err}", arguments.join(" "));
    out
}

/// Sends each request to a server of its own life, so that each becomes a file of its own.
async fn files_of(data: &Path, requests: Vec<Vec<u8>>) {
    for body in requests {
        let server = Server::start(data, &["--no-maintenance"]).await;
        server.takes("/v1/traces", body).await;
        server.stop();
    }
}

fn count(data: &Path, table: &str) -> Value {
    sql(data, &format!("SELECT count(*) AS rows FROM {table}")).remove(0)["rows"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn compact_keeps_the_rows_and_vacuum_frees_the_old_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let requests = (0..5_u64).map(|file| {
        request((0..40).map(|at| span(u128::from(file * 10 + at / 4 + 1), file * 100 + at + 1, "work")).collect())
    });
    files_of(&data, requests.collect()).await;
    let query = "SELECT * FROM spans ORDER BY span_id";
    let before = sql(&data, query);
    assert_eq!(before.len(), 200);
    let out = tracewell(&data, &["compact", "--table", "spans"]);
    assert!(out.contains("spans: 5 files") && out.contains("1 file ("), "{out}");
    assert_eq!(before, sql(&data, query));
    // Statistics and filters of the merged file lead to every row.
    for trace in 1..=50 {
        let found = sql(&data, &format!("SELECT span_id FROM spans WHERE trace_id = '{trace:032x}'"));
        assert_eq!(found.len(), 4, "trace {trace}");
    }
    let again = tracewell(&data, &["compact"]);
    assert!(again.contains("spans: nothing to merge, 1 file") && again.contains("logs: nothing to merge"), "{again}");

    let kept = tracewell(&data, &["vacuum"]);
    assert!(kept.contains("spans: 0 files (0 bytes) deleted; 1 file"), "{kept}");
    let counted = tracewell(&data, &["vacuum", "--retain", "0s", "--dry-run"]);
    assert!(counted.contains("spans: 5 files") && counted.contains("would be deleted"), "{counted}");
    let output = run(&data, &["vacuum", "--retain", "0s"]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("warning"));
    let nothing = tracewell(&data, &["vacuum", "--retain", "0s"]);
    assert!(nothing.contains("spans: 0 files (0 bytes) deleted; 1 file"), "{nothing}");
    assert_eq!(before, sql(&data, query));
    // A server goes on from there.
    files_of(&data, vec![request(vec![span(99, 99_999, "later")])]).await;
    assert_eq!(count(&data, "spans"), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_stands_for_every_commit_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    files_of(&data, (1..=3).map(|id| request(vec![span(1, id, "work")])).collect()).await;
    let log = data.join("spans/_delta_log");
    assert!(!log.join("_last_checkpoint").exists());
    let out = tracewell(&data, &["checkpoint"]);
    assert!(
        out.contains("spans: checkpoint of version 3\n") && out.contains("traces: checkpoint of version 0"),
        "{out}"
    );
    let last: Value = serde_json::from_slice(&std::fs::read(log.join("_last_checkpoint")).unwrap()).unwrap();
    assert_eq!(last["version"], 3);
    // As a clean-up of the log leaves it.
    for commit in 0..3 {
        std::fs::remove_file(log.join(format!("{commit:020}.json"))).unwrap();
    }
    assert_eq!(count(&data, "spans"), 3);
    // How far the log of the server is committed stands in it as well: nothing is read again and stored twice.
    files_of(&data, vec![request(vec![span(1, 4, "work")])]).await;
    assert_eq!(count(&data, "spans"), 4);
    tracewell(&data, &["compact"]);
    assert_eq!(tracewell(&data, &["checkpoint", "--table", "spans"]).lines().count(), 1);
    assert_eq!(count(&data, "spans"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_sent_again_longer_is_one_row_after_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = span(1, 1, "unfinished");
    let mut longer = first.clone();
    longer.end_time_unix_nano += 5_000_000;
    longer.name = "finished".into();
    files_of(&data, vec![request(vec![first]), request(vec![longer, span(1, 2, "other")])]).await;
    assert_eq!(count(&data, "spans"), 3);
    let out = tracewell(&data, &["compact"]);
    assert!(out.contains("1 row repeated another and was dropped"), "{out}");
    let rows = sql(&data, "SELECT name, duration_ns FROM spans ORDER BY span_id");
    assert_eq!(
        Value::from(rows),
        json!([{ "name": "finished", "duration_ns": 6_000_000 }, { "name": "other", "duration_ns": 1_000_000 }])
    );
}

/// A model call of three days ago with a message.
fn call(id: u64, message: &str) -> Vec<u8> {
    let mut call = span(1, id, "chat m");
    call.start_time_unix_nano = now() - 3 * 86_400 * 1_000_000_000;
    call.end_time_unix_nano = call.start_time_unix_nano + 1_000;
    let input = json!([{ "role": "user", "parts": [{ "type": "text", "content": message }] }]).to_string();
    call.attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "m"),
        text("gen_ai.input.messages", &input),
    ];
    request(vec![call])
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_expire_before_their_spans_and_come_back_when_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let message = "what is the capital of France? ".repeat(20);
    files_of(&data, vec![call(1, &message), request(vec![span(2, 2, "today")])]).await;
    let contents = count(&data, "contents");
    assert_ne!(contents, 0);
    let kept = tracewell(&data, &["expire", "--contents", "30d"]);
    assert!(kept.contains("contents: nothing to expire") && kept.contains("spans: kept for ever"), "{kept}");
    let told = tracewell(&data, &["expire", "--contents", "1ms", "--dry-run"]);
    assert!(told.contains("1 row of") && told.contains("would expire"), "{told}");
    assert_eq!(count(&data, "contents"), contents, "a dry run takes nothing");
    let out = tracewell(&data, &["expire", "--contents", "1ms"]);
    assert!(out.contains("contents: 1 file") && out.contains("1 row of"), "{out}");
    assert_eq!((count(&data, "contents"), count(&data, "spans")), (json!(0), json!(2)));

    // A server that knows the retention stores a content of an old day again each time, for it may be gone.
    let environment = folder.path().join("tracewell.toml");
    std::fs::write(&environment, "[maintenance]\nenabled = false\nkeep_contents = '1day'\n").unwrap();
    let arguments = ["--config", environment.to_str().unwrap(), "--commit-interval", "50ms"];
    let server = Server::start(&data, &arguments).await;
    for (id, rows) in [(3, 1), (4, 2)] {
        server.takes("/v1/traces", call(id, &message)).await;
        let found = server.sql("SELECT count(*) AS rows FROM contents WHERE role = 'user'");
        assert_eq!(found[0]["rows"], rows);
    }
    server.stop();
    let out = tracewell(&data, &["expire", "--spans", "1ms"]);
    assert!(out.contains("spans: ") && out.contains("expired"), "{out}");
    assert_eq!(count(&data, "spans"), 1, "the span of today stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_worked_out_from_spans_leaves_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    files_of(&data, vec![call(1, "Where?")]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Long after the span came, as it is when the day before loses its spans.
    tracewell(&data, &["settle"]);
    let out = tracewell(&data, &["expire", "--spans", "2s"]);
    assert!(out.contains("calls: 1 file") && out.contains("traces: 1 file"), "{out}");
    for table in ["spans", "llm_calls", "traces"] {
        assert_eq!(count(&data, table), 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_stay_as_long_as_their_facts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    files_of(&data, vec![call(1, "Where?")]).await;
    tracewell(&data, &["settle"]);
    // The date is over since two days, and the span came a moment ago.
    let out = tracewell(&data, &["expire", "--spans", "1day"]);
    for (table, view) in [("spans", "spans"), ("calls", "llm_calls"), ("traces", "traces")] {
        assert!(out.contains(&format!("{table}: nothing to expire, 1 file")), "{out}");
        assert_eq!(count(&data, view), 1, "{view}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_compacts_while_it_is_killed_and_another_process_compacts_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["--commit-interval", "30ms", "--maintenance-interval", "30ms", "--shards", "2"];
    let mut acked = 0_u64;
    let log = || std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
    // On a busy machine a round may end before anything is worth compacting.
    for round in (0..30).take_while(|round| *round < 6 || !log().contains("compacted")) {
        let server = Server::start(&data, &arguments).await;
        let url = format!("{}/v1/traces", server.http);
        let client = client();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(700) {
            let body = request(vec![span(u128::from(acked / 7 + 1), acked + 1, "work")]);
            let answer = client.post(&url).header("content-type", PROTOBUF).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            acked += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if acked.is_multiple_of(50) {
                assert!(run(&data, &["compact"]).status.success());
            }
        }
        if round % 2 == 0 { server.kill() } else { server.stop() }
    }
    assert!(log().contains("compacted"), "nothing was compacted:\n{}", log());
    assert!(!log().contains("maintenance failed"), "{}", log());
    tracewell(&data, &["compact"]);
    let rows = sql(&data, "SELECT count(*) AS rows, count(DISTINCT span_id) AS spans FROM spans");
    assert_eq!(rows[0], json!({ "rows": acked, "spans": acked }));
}

#[test]
fn a_place_without_tables_and_a_wrong_name_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["compact", "expire", "vacuum"] {
        let output = run(folder.path(), &[command]);
        assert!(!output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains("there are no tables at"));
    }
    let output = run(folder.path(), &["compact", "--table", "span"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("spans"));
    let output = run(folder.path(), &["compact", "--date", "yesterday"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("2026-11-05"));
}
