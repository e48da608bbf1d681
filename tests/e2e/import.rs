//! `tracewell import` over files as they come: cut off, mixed, of other signals, of other things.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric};
use prost::Message;
use serde_json::{Value, json};

use crate::server::{BINARY, sql};
use crate::spans::{now, request, span};

fn import(data: &Path, arguments: &[&str], file: &Path) -> (bool, String) {
    let mut command = Command::new(BINARY);
    command.args(["import", "--data"]).arg(data).args(arguments).arg(file);
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.success(), String::from_utf8(stderr).unwrap())
}

fn json_span(id: u64) -> Value {
    json!({ "traceId": format!("{id:032x}"), "spanId": format!("{id:016x}"), "name": format!("span {id}"),
            "startTimeUnixNano": now().to_string(), "endTimeUnixNano": now().to_string() })
}

fn traces(spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] })
}

fn names(data: &Path, table: &str) -> Vec<Value> {
    let column = if table == "logs" { "body" } else { "name" };
    let rows = sql(data, &format!("SELECT {column} AS name FROM {table} ORDER BY 1"));
    rows.into_iter().map(|mut row| row["name"].take()).collect()
}

#[test]
fn requests_that_cannot_be_read_are_told_with_their_lines_and_the_others_imported() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.jsonl"));
    let logs = json!([{ "scopeLogs": [{ "logRecords": [{ "timeUnixNano": now().to_string(), "body": { "stringValue": "said" } }] }] }]);
    let both = json!({ "resourceSpans": traces(&[json_span(2)])["resourceSpans"], "resourceLogs": logs });
    let points = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{ "name": "a \"resourceLogs\" metric", "sum": { "dataPoints": [{}, {}] } }] }] }] });
    let whole = traces(&[json_span(1)]).to_string();
    let mut bad_id = json_span(3);
    bad_id["traceId"] = "not hex".into();
    let lines = [
        whole.clone(),
        whole[..whole.len() - 60].to_owned(),
        both.to_string(),
        points.to_string(),
        r#"{"level":"info","message":"a log of something else"}"#.to_owned(),
        traces(&[bad_id, json_span(4)]).to_string(),
        serde_json::to_string_pretty(&traces(&[json_span(5)])).unwrap(),
        r#"{"resourceSpans":7}"#.to_owned(),
    ];
    let pretty = lines[6].lines().count();
    std::fs::write(&file, lines.join("\n")).unwrap();

    let (success, told) = import(&data, &["--strict"], &file);
    assert!(!success && told.contains("line 2: ") && told.contains("nothing of the file is imported"), "{told}");
    assert_eq!(names(&data, "spans").len(), 0);

    for _ in 0..2 {
        let (success, told) = import(&data, &[], &file);
        assert!(!success);
        for expected in [
            "line 2: a string breaks off".to_owned(),
            "line 5: `resourceSpans`, `resourceLogs` or `resourceMetrics` is expected at the top, there is `level`, `message`".into(),
            format!("line {}: invalid type: integer `7`, expected an array", 7 + pretty),
            "refused number 0: expected a hex id".into(),
            "2 metric data points are not kept".into(),
            "1 file: 5 spans and log records read, 1 refused, 3 requests could not be read".into(),
        ] {
            assert!(told.contains(&expected), "{expected}\n{told}");
        }
        assert_eq!(names(&data, "spans"), ["span 1", "span 2", "span 4", "span 5"]);
        assert_eq!(names(&data, "logs"), ["said"]);
    }
}

#[test]
fn a_text_may_begin_with_a_mark_of_byte_order() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.json"));
    std::fs::write(&file, format!("\u{feff}{}", traces(&[json_span(1)]))).unwrap();
    assert!(import(&data, &[], &file).0);
    assert_eq!(names(&data, "spans"), ["span 1"]);
}

#[test]
fn what_is_read_twice_cannot_come_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["-", "/dev/stdin"] {
        let (success, told) = import(&folder.path().join("data"), &[], Path::new(path));
        assert!(!success && told.contains("has to be written to one first"), "{told}");
    }
}

#[test]
fn an_import_goes_on_when_nobody_reads_what_it_tells() {
    let folder = tempfile::tempdir().unwrap();
    let (data, metrics, spans) =
        (folder.path().join("data"), folder.path().join("a.json"), folder.path().join("b.json"));
    let points = json!({ "gauge": { "dataPoints": [{ "asInt": "1" }] } });
    let told = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [points] }] }] });
    std::fs::write(&metrics, told.to_string()).unwrap();
    std::fs::write(&spans, traces(&[json_span(1)]).to_string()).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(BINARY);
    command.args(["import", "--data"]).args([&data, &metrics, &spans]).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert_eq!(names(&data, "spans"), ["span 1"]);
}

#[test]
fn a_large_object_over_many_lines_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.json"));
    let spans: Vec<Value> = (1..=20_000).map(json_span).collect();
    std::fs::write(&file, serde_json::to_string_pretty(&traces(&spans)).unwrap()).unwrap();
    assert!(import(&data, &[], &file).0);
    assert_eq!(sql(&data, "SELECT count(*) AS n FROM spans"), [json!({ "n": 20_000 })]);
}

#[test]
fn what_protobuf_carries_is_told_by_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let gauge = Gauge { data_points: vec![NumberDataPoint { time_unix_nano: now(), ..Default::default() }] };
    let metric = Metric { name: "queue".into(), data: Some(metric::Data::Gauge(gauge)), ..Default::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    let metrics =
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] };
    let (success, told) = import(&data, &[], &file("metrics.pb", metrics.encode_to_vec()));
    assert!(success && told.contains("1 metric data point is not kept"), "{told}");

    let (success, told) = import(&data, &[], &file("a.pb", request(vec![span(0, 1, "zero"), span(1, 2, "good")])));
    assert!(success && told.contains("refused number 0: trace_id is all zeros"), "{told}");
    assert_eq!(names(&data, "spans"), ["good"]);

    let record = LogRecord { time_unix_nano: now(), severity_number: 9, ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..Default::default() }];
    let logs = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
    assert!(import(&data, &[], &file("b.pb", logs.encode_to_vec())).0);
    assert_eq!((names(&data, "spans").len(), names(&data, "logs").len()), (1, 1));
}

/// The transactions of imports in the log of `spans`: which, and up to which number.
fn transactions(data: &Path) -> Vec<(String, u64)> {
    let log = std::fs::read_dir(data.join("spans/_delta_log")).unwrap().map(|entry| entry.unwrap().path());
    let commits = log.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let lines =
        commits.flat_map(|path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>());
    let found = lines.filter_map(|line| {
        let action: Value = serde_json::from_str(&line).unwrap();
        let app = action["txn"]["appId"].as_str()?.strip_prefix("import:")?.to_owned();
        Some((app, action["txn"]["version"].as_u64().unwrap()))
    });
    found.collect()
}

/// What a file is known by must not change with our rules of reading it: a later version knows what this one imported.
#[test]
fn a_file_in_gzip_of_several_chunks_is_imported_once_though_the_first_try_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.jsonl.gz"));
    let mut zipped = flate2::write::GzEncoder::new(std::fs::File::create(&file).unwrap(), flate2::Compression::fast());
    let mib = "seeds and pots ".repeat((1 << 20) / 15);
    for id in 1..=100 {
        let mut sent = json_span(id);
        sent["attributes"] = json!([{ "key": "shop.note", "value": { "stringValue": mib } }]);
        writeln!(zipped, "{}", traces(&[sent])).unwrap();
    }
    zipped.finish().unwrap();

    let mut first =
        Command::new(BINARY).args(["import", "--data"]).args([&data, &file]).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !data.join("spans/_delta_log").is_dir() || transactions(&data).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no chunk was committed");
        std::thread::sleep(Duration::from_millis(1));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let known = transactions(&data).len();
    // 100 MiB in chunks of 32.
    assert!(known < 4, "it was done before it was killed");
    for _ in 0..2 {
        let (success, told) = import(&data, &[], &file);
        assert!(success, "{told}");
        let count = "SELECT count(*) AS n, count(DISTINCT span_id) AS spans FROM spans";
        assert_eq!(sql(&data, count), [json!({ "n": 100, "spans": 100 })]);
    }
    let transactions = transactions(&data);
    let numbers: Vec<u64> = transactions.iter().map(|(_, number)| *number).collect();
    assert_eq!((numbers.iter().min(), numbers.iter().max()), (Some(&1), Some(&4)));
    let is_hash = |app: &str| app.len() == 64 && app.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(transactions.iter().all(|(app, _)| is_hash(app)), "{transactions:?}");
}
