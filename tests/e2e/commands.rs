//! Commands as a user types them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::server::{BINARY, Server, sql};
use crate::spans::{request, span};

fn tracewell(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_remove("TRACEWELL_CONFIG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_schema_page_is_what_the_code_says() {
    let page = include_str!("../../queries/schema.md");
    assert_eq!(page, text(&tracewell(&["schema"]).stdout), "run: tracewell schema > queries/schema.md");
}

#[test]
fn an_unknown_setting_is_an_error_that_suggests_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tracewell.toml");
    std::fs::write(&file, "[ingest]\ncomit_interval = '1s'\n").unwrap();
    let output = tracewell(&["config", "--config", file.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("did you mean `ingest.commit_interval`"), "{}", text(&output.stderr));
}

#[test]
fn arguments_that_cannot_be_read_end_with_2_and_say_what_can() {
    for (arguments, told) in [
        (&["runs", "list", "--since", "20.11.2026"][..], "write 2026-11-20"),
        (&["changes", "--prompt", "x", "--on", "2h"], "is no date"),
        (&["report", "cost", "--period", "tomorrow"], "is no period"),
        (&["report", "cost", "--tz", "Berlin"], "Europe/Berlin"),
        (&["report", "cost", "--by", "team,colour"], "`colour`"),
        (&["release", "live", "x", "--at", "soon"], "is no point in time"),
        (&["score", "add", "x"], "--trace <ID>"),
        (&["score", "add", "x", "--session", "s"], "VALUE"),
        (&["score", "add", "x", "1", "--session", "s", "--source", "bot"], "human, model, code, user"),
        (&["sql", "--server", "127.0.0.1:4320", "SELECT 1"], "write http://127.0.0.1:4320"),
    ] {
        let output = tracewell(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(told), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_says_why_it_may_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    server.takes("/v1/traces", request(vec![span(1, 1, "one")])).await;
    for (wrong, told) in [("--min-cost", "US dollars"), ("--before", "is no cursor"), ("--limit", "invalid digit")] {
        let output = tracewell(&["runs", "list", "--data", data.to_str().unwrap(), wrong, "many"]);
        assert!(output.status.code() == Some(2) && text(&output.stderr).contains(told), "{output:?}");
    }
    for (asked, told) in [
        (&["query", "find_messages", "-p", "words=x"][..], "in the last 7 days; -p since=30d looks further back"),
        (&["alerts", "list"], "there are no rules: alerts.rules"),
        (&["report", "list"], "nothing is published yet"),
        (&["dataset", "list"], "there is no dataset yet"),
        (&["prompt", "list"], "no prompt is on record"),
        (&["review", "list"], "there is no queue yet"),
        (&["release", "log"], "no step is on record"),
    ] {
        let output = tracewell(&[asked, &["--data", data.to_str().unwrap(), "--format", "table"]].concat());
        assert!(output.status.success() && text(&output.stderr).contains(told), "{asked:?}: {output:?}");
    }
}

#[test]
fn importing_a_file_twice_stores_it_once_in_every_form_it_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let path = |name: &str| files.join(name).to_str().unwrap().to_owned();
    let json = |span: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"0000000000000000000000000000000a","spanId":"{span}","name":"n","startTimeUnixNano":"1500000000000000000","endTimeUnixNano":"1500000000000000001"}}]}}]}}]}}"#
        )
    };
    std::fs::write(path("a.pb"), request(vec![span(10, 1, "a"), span(10, 2, "b")])).unwrap();
    std::fs::write(path("b.json"), json("0000000000000003")).unwrap();
    let lines = format!("{}\n{}\n", json("0000000000000004"), json("0000000000000005"));
    std::fs::write(path("c.jsonl.zst"), zstd::encode_all(lines.as_bytes(), 3).unwrap()).unwrap();
    for _ in 0..2 {
        let output = tracewell(&["import", "--data", data, files.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let rows =
        sql(data.as_ref(), "SELECT CAST(date AS text) < '2018' AS old, count(*) AS n FROM spans GROUP BY 1 ORDER BY 1");
    assert_eq!(json!(rows), json!([{ "old": false, "n": 2 }, { "old": true, "n": 3 }]));
    let output = tracewell(&["check", "--data", data]);
    assert!(output.status.success(), "{}", text(&output.stdout));

    let nowhere = tracewell(&["check", "--data", &path("nowhere")]);
    assert!(!nowhere.status.success() && text(&nowhere.stderr).contains("is not there"), "{}", text(&nowhere.stderr));

    std::fs::write(path("d.json"), "{\"resourceSpans\": [").unwrap();
    let output = tracewell(&["import", "--data", data, &path("d.json")]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("d.json"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_are_what_they_say_and_sql_can_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--commit-interval", "1h"]).await;
    server.takes("/v1/traces", request(vec![span(1, 1, "one")])).await;
    let data = data.to_str().unwrap();
    let ask = |format: &str, query: &str| tracewell(&["sql", "--data", data, "--format", format, query]);
    let query = "SELECT name, attributes FROM spans";
    let csv = text(&ask("csv", query).stdout);
    let wanted = "name,attributes\none,\"{\"\"http.request.method\"\":\"\"GET\"\",\"\"server.address\"\":\"\"example.test\"\"}\"\n";
    assert_eq!(csv, wanted);
    assert!(text(&ask("table", query).stdout).contains("| one "));
    assert!(ask("parquet", query).stdout.starts_with(b"PAR1"));
    let arrow = ask("arrow", query).stdout;
    let reader = arrow::ipc::reader::StreamReader::try_new(arrow.as_slice(), None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1);
    assert_eq!(text(&ask("json", "SELECT 1 AS n WHERE false").stdout).trim(), "[]");

    let secret = folder.path().join("secret.csv");
    std::fs::write(&secret, "a\n1\n").unwrap();
    let secret = secret.to_str().unwrap();
    for forbidden in [
        "DROP TABLE spans".to_owned(),
        "INSERT INTO spans SELECT * FROM spans".to_owned(),
        "EXPLAIN ANALYZE INSERT INTO spans SELECT * FROM spans".to_owned(),
        "CREATE TABLE t AS SELECT 1".to_owned(),
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{secret}'"),
        format!("COPY spans TO '{secret}'"),
        format!("SELECT * FROM '{secret}'"),
        "SET datafusion.execution.batch_size = 1".to_owned(),
    ] {
        let output = ask("json", &forbidden);
        assert!(!output.status.success(), "{forbidden} went through: {}", text(&output.stdout));
        assert!(output.stdout.is_empty());
    }
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "a\n1\n");
    assert_eq!(server.sql("SELECT count(*) AS n FROM spans"), [json!({ "n": 1 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_says_when_rows_may_be_where_it_does_not_look() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let wal = folder.path().join("elsewhere");
    let wal = wal.to_str().unwrap();
    let server = Server::start(&data, &["--commit-interval", "1h", "--wal", wal]).await;
    server.takes("/v1/traces", request(vec![span(1, 1, "one")])).await;
    let count = "SELECT count(*) AS n FROM spans";
    let place = data.to_str().unwrap();
    let ask = |arguments: &[&str]| {
        let output = tracewell(&[&["sql", "--data", place, "--format", "csv"], arguments, &[count]].concat());
        (text(&output.stdout), text(&output.stderr))
    };
    let unseen = "rows that are not committed yet are not seen";
    let (answer, told) = ask(&[]);
    assert_eq!(answer, "n\n0\n");
    assert!(told.contains("there is no write-ahead log at") && told.contains(unseen), "{told}");
    assert_eq!(ask(&["--wal", wal]), ("n\n1\n".into(), String::new()), "the server is found beside its log");
    assert_eq!(ask(&["--server", &server.api]), ("n\n1\n".into(), String::new()));
    server.kill();
    assert_eq!(ask(&["--wal", wal]), ("n\n1\n".into(), String::new()), "the log is read");
}

/// A data file of `spans`.
fn a_file_of_spans(data: &Path) -> PathBuf {
    let folders = std::fs::read_dir(data.join("spans")).unwrap().map(|entry| entry.unwrap().path());
    let dates = folders.filter(|folder| folder.file_name().unwrap().to_string_lossy().starts_with("date="));
    dates.flat_map(|date| std::fs::read_dir(date).unwrap()).map(|entry| entry.unwrap().path()).next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_every_damaged_byte_and_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--no-maintenance"]).await;
    let spans = (1..200).map(|id| span(7, id, &format!("step {id}"))).collect();
    server.takes("/v1/traces", request(spans)).await;
    server.stop();
    let check = || tracewell(&["check", "--data", data.to_str().unwrap()]);
    assert!(text(&check().stdout).contains("all is well"));
    let file = a_file_of_spans(&data);
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let whole = std::fs::read(&file).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 20) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        let found = check();
        assert!(!found.status.success(), "byte {at}");
        assert!(text(&found.stdout).contains(&format!("{name}`: its bytes are not")), "{}", text(&found.stdout));
    }

    // A file of an older version, whose name does not tell its bytes: every page is decoded.
    let (stem, _) = name.split_once('.').unwrap();
    let older = format!("{stem}.parquet");
    std::fs::remove_file(&file).unwrap();
    let log = data.join("spans/_delta_log/00000000000000000001.json");
    let commit = std::fs::read_to_string(&log).unwrap();
    assert!(commit.contains(&name));
    std::fs::write(&log, commit.replace(&name, &older)).unwrap();
    let file = file.with_file_name(&older);
    std::fs::write(&file, &whole).unwrap();
    assert!(text(&check().stdout).contains("all is well"));
    let mut damaged = whole;
    damaged[4..40].fill(0xff);
    std::fs::write(&file, damaged).unwrap();
    let found = check();
    assert!(!found.status.success());
    assert!(text(&found.stdout).contains(&format!("{older}`: it is damaged")), "{}", text(&found.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn data_lives_in_a_folder_of_any_name_and_others_may_read_what_the_umask_lets_them() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("tr%20ail 100% é#?");
    let server = Server::start(&data, &["--no-maintenance"]).await;
    let one = span(1, 1, "one");
    server.takes("/v1/traces", request(vec![one.clone(), one])).await;
    server.stop();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the data, and the server's log: {names:?}");
    for command in ["compact", "settle", "check", "vacuum"] {
        let output = tracewell(&[command, "--data", data.to_str().unwrap()]);
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
    }
    assert_eq!(sql(&data, "SELECT name FROM spans"), [json!({ "name": "one" })]);
    let log = std::fs::read(data.with_extension("log")).unwrap();
    assert!(!log.contains(&0x1b), "no terminal, no colours: {}", text(&log));

    let plain = folder.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let allowed = plain.metadata().unwrap().permissions().mode();
    for file in [a_file_of_spans(&data), data.join("spans/_delta_log/00000000000000000001.json")] {
        assert_eq!(file.metadata().unwrap().permissions().mode(), allowed, "{}", file.display());
    }
}

#[test]
fn config_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tracewell.toml");
    let options = [
        "AWS_SECRET_ACCESS_KEY",
        "aws_access_key_id",
        "aws_session_token",
        "aws_sse_customer_key_base64",
        "azure_storage_sas_key",
        "azure_storage_master_key",
        "sas_token",
        "google_service_account_key",
        "proxy_url",
    ];
    let secrets: String = options.iter().map(|option| format!("{option} = 'hush'\n")).collect();
    let settings = format!(
        "data = 's3://AKIA:hush@bucket/x'\n[storage]\n{secrets}aws_endpoint = 'http://u:hush@host'\naws_region = 'here'\n"
    );
    std::fs::write(&file, settings).unwrap();
    let file = file.to_str().unwrap();
    let shown = text(&tracewell(&["config", "--config", file]).stdout);
    assert!(!shown.contains("hush") && !shown.contains("AKIA"), "{shown}");
    assert!(
        shown.contains("aws_region = \"here\"") && shown.contains("aws_secret_access_key = \"(hidden)\""),
        "{shown}"
    );
    for command in ["sql", "check", "serve", "vacuum"] {
        let output = tracewell(&[command, "--config", file, "--wal", folder.path().to_str().unwrap()]);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success() && !said.contains("hush") && !said.contains("AKIA"), "{said}");
        assert!(said.contains("keys do not belong into a URL"), "{said}");
    }
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    for arguments in ["schema", "config", "completion bash"] {
        let pipe = format!("set -o pipefail; '{BINARY}' {arguments} | head -c 1");
        let output = Command::new("bash").args(["-c", &pipe]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments}: {}", text(&output.stderr));
    }
}

#[test]
fn a_query_may_begin_with_a_comment() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("a.pb"), request(vec![span(1, 1, "one")])).unwrap();
    assert!(tracewell(&["import", "--data", data, &format!("{data}/a.pb")]).status.success());
    let output = tracewell(&["sql", "--data", data, "--format", "csv", "-- a comment\nSELECT 1 AS one"]);
    assert_eq!(text(&output.stdout), "one\n1\n", "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_was_stopped_is_filled_when_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let server = Server::start(&whole, &["--demo"]).await;
    let count = |server: &Server| {
        server.sql("SELECT count(DISTINCT concat(trace_id, span_id)) AS n FROM spans")[0]["n"].clone()
    };
    while whole.join("wal/demo").exists() || count(&server) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let all = count(&server);
    server.stop();

    let data = folder.path().join("data");
    let server = Server::start(&data, &["--demo"]).await;
    while !data.join("wal/demo").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    server.stop();
    assert!(!data.join("wal/endpoint").exists(), "an orderly end");
    assert!(data.join("wal/demo").exists(), "it was stopped before it was full");
    let server = Server::start(&data, &["--demo"]).await;
    while data.join("wal/demo").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(count(&server), all);
}

#[test]
fn a_table_never_steers_the_terminal() {
    let temporary = tempfile::tempdir().unwrap();
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/queries/known.jsonl");
    let tracewell = |arguments: &[&str]| {
        let output = Command::new(BINARY).args(arguments).arg("--data").arg(temporary.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    tracewell(&["import", known.to_str().unwrap()]);
    let query = "SELECT chr(27) || '[31m' || chr(7) || chr(155) AS title";
    let shown = tracewell(&["sql", "--format", "table", query]);
    assert!(shown.contains("\u{fffd}[31m\u{fffd}\u{fffd}"), "{shown:?}");
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{shown:?}");
}
