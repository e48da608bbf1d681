//! Acknowledged is stored, stored is stored once: whenever and however often the server dies, also while its store is
//! gone or its disk is full.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::server::{BINARY, PROTOBUF, Server, client, sql};
use crate::skipped::skipped;
use crate::spans::{now, request, span, text};

/// Kills unless `TRACEWELL_KILLS` says how many.
const KILLS: u64 = 40;
/// Kills while something else is wrong as well.
const KILLS_IN_TROUBLE: u64 = 12;
const SENDERS: u64 = 4;

/// The ids in each table, and how they are found there: as the id of a span, in the text of its message, as the body of a
/// record, as the value of a score.
const TABLES: [(&str, &str); 4] = [
    ("spans", "SELECT span_id AS id FROM spans"),
    ("contents", "SELECT content AS id FROM contents"),
    ("logs", "SELECT body AS id FROM logs WHERE event_name IS NULL"),
    ("scores", "SELECT CAST(CAST(value AS bigint) AS text) AS id FROM scores"),
];

/// The id in what a table has.
fn id_of(table: &str, value: &Value) -> u64 {
    let text = value.as_str().unwrap();
    match table {
        "spans" => u64::from_str_radix(text, 16).unwrap(),
        "contents" => {
            let (_, behind) = text.split_once("message ").unwrap();
            behind.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
        }
        _ => text.parse().unwrap(),
    }
}

/// A model call with a message of its own.
fn call(id: u64) -> Span {
    let message = format!(r#"[{{"role":"user","parts":[{{"type":"text","content":"message {id}"}}]}}]"#);
    let mut call = span(u128::from(id / 50 + 1), id, "chat m");
    call.attributes = vec![text("gen_ai.operation.name", "chat"), text("gen_ai.input.messages", &message)];
    call
}

/// A plain log record, and an evaluation of the call.
fn records(id: u64) -> [LogRecord; 2] {
    let value = |value| Some(AnyValue { value: Some(value) });
    let score = value(any_value::Value::DoubleValue(id as f64));
    let score = KeyValue { key: "gen_ai.evaluation.score.value".into(), value: score, ..KeyValue::default() };
    let plain = LogRecord {
        time_unix_nano: now(),
        body: value(any_value::Value::StringValue(id.to_string())),
        ..LogRecord::default()
    };
    let evaluation = LogRecord {
        time_unix_nano: now(),
        trace_id: u128::from(id / 50 + 1).to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        event_name: "gen_ai.evaluation.result".into(),
        attributes: vec![text("gen_ai.evaluation.name", "Relevance"), score],
        ..LogRecord::default()
    };
    [plain, evaluation]
}

fn log_request(log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// What the senders share.
#[derive(Default)]
struct Ledger {
    acked: Mutex<HashSet<u64>>,
    next: AtomicU64,
    stop: AtomicBool,
    address: Mutex<String>,
}

impl Ledger {
    /// Sends requests until told to stop, and each one again until it is acknowledged.
    async fn send(self: Arc<Self>) {
        let client = client();
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(7, Ordering::Relaxed);
            let ids: Vec<u64> = (first..first + 1 + first % 7).collect();
            let requests = [
                ("/v1/traces", request(ids.iter().copied().map(call).collect())),
                ("/v1/logs", log_request(ids.iter().copied().flat_map(records).collect())),
            ];
            for (path, body) in requests {
                loop {
                    let url = format!("{}{path}", self.address.lock().await);
                    let request = client.post(url).header("content-type", PROTOBUF);
                    if request.body(body.clone()).send().await.is_ok_and(|answer| answer.status().is_success()) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            self.acked.lock().await.extend(&ids);
        }
    }
}

/// Kills a server under load so many times. `trouble` is told that it may begin, while a server runs, and that it has to
/// be over, before the next one starts.
async fn survives(data: &Path, arguments: &[&str], kills: u64, trouble: impl Fn(bool)) {
    // Commits come so often that kills fall into every step of them.
    let arguments = [&["--commit-interval", "50ms", "--shards", "2"][..], arguments].concat();
    let ledger = Arc::new(Ledger { next: AtomicU64::new(1), ..Ledger::default() });
    let mut server = Server::start(data, &arguments).await;
    *ledger.address.lock().await = server.http.clone();
    let senders: Vec<_> = (0..SENDERS).map(|_| tokio::spawn(Arc::clone(&ledger).send())).collect();

    let mut random = u64::from(std::process::id());
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((random >> 33) % below)
    };
    for _ in 0..kills {
        tokio::time::sleep(draw(100)).await;
        // It sees the trouble whole: nothing is written where the store is taken away that moment.
        server.signal("STOP");
        trouble(true);
        server.signal("CONT");
        tokio::time::sleep(draw(200)).await;
        server.kill();
        trouble(false);
        server = Server::start(data, &arguments).await;
        *ledger.address.lock().await = server.http.clone();
    }
    ledger.stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }

    let acked = ledger.acked.lock().await.clone();
    assert!(acked.len() as u64 > kills, "hardly anything was sent: {}", acked.len());
    let running: Vec<_> = TABLES.map(|(_, query)| server.sql(query)).into();
    server.stop();
    let stopped: Vec<_> = TABLES.map(|(_, query)| sql(data, query)).into();
    for (moment, tables) in [("while it runs", running), ("after an orderly stop", stopped)] {
        for ((table, _), rows) in TABLES.into_iter().zip(tables) {
            let distinct: HashSet<u64> = rows.iter().map(|row| id_of(table, &row["id"])).collect();
            let lost: Vec<_> = acked.difference(&distinct).collect();
            assert!(lost.is_empty(), "{moment}: {} acknowledged rows of {table} are lost: {lost:?}", lost.len());
            assert_eq!(rows.len(), distinct.len(), "{moment}: rows of {table} are stored twice");
        }
        println!(
            "{moment}: {kills} kills, {} calls acknowledged and stored, with their messages and records",
            acked.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acked_rows_of_every_table_survive_kills_and_are_stored_once() {
    let kills = std::env::var("TRACEWELL_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    survives(&folder.path().join("data"), &[], kills, |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acked_rows_survive_kills_while_the_store_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // The logs of the tables are away, and nothing can be written where they were. Some commits land before, some not.
    survives(&data, &[], KILLS_IN_TROUBLE, |begins| {
        for table in TABLES.map(|(table, _)| data.join(table)) {
            let (log, away) = (table.join("_delta_log"), table.join("away"));
            if begins {
                std::fs::rename(&log, &away).unwrap();
                std::fs::write(&log, "").unwrap();
            } else {
                std::fs::remove_file(&log).unwrap();
                std::fs::rename(&away, &log).unwrap();
            }
        }
    })
    .await;
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("cannot commit; the write-ahead log keeps the rows"), "the store was never missed");
}

#[tokio::test(flavor = "multi_thread")]
async fn acked_rows_survive_kills_while_the_disk_of_the_tables_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let (data, wal) = (folder.path().join("data"), folder.path().join("wal"));
    std::fs::create_dir(&data).unwrap();
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&data).output().is_ok_and(|done| done.status.success())
    };
    if !mount("size=4m") {
        skipped("acked_rows_survive_kills_while_the_disk_of_the_tables_is_full", "mounting a disk needs root");
        return;
    }
    let _mounted = Mounted(&data);
    let arguments = ["--wal", wal.to_str().unwrap(), "--no-maintenance"];
    let filler = data.join("filler");
    let rounds = AtomicU64::new(0);
    survives(&data, &arguments, KILLS_IN_TROUBLE, |begins| {
        if begins {
            // Whatever room there is, is taken.
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&filler).unwrap();
            assert!(std::io::Write::write_all(&mut file, &vec![7; 64 << 20]).is_err());
            return;
        }
        // Two of three servers start over a full disk.
        let round = rounds.fetch_add(1, Ordering::Relaxed) + 1;
        if round.is_multiple_of(3) {
            std::fs::remove_file(&filler).unwrap();
            assert!(mount(&format!("remount,size={}m", 4 + 4 * round)));
        }
    })
    .await;
    let log = std::fs::read_to_string(data.with_extension("log")).unwrap();
    assert!(log.contains("No space left on device"), "the disk was never full");
    let check = Command::new(BINARY).args(["check", "--wal"]).arg(&wal).arg("--data").arg(&data).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

/// A disk that is taken off when the test is over.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
