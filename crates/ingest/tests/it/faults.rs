//! Acknowledged is stored, stored is stored once: also when the store or the disk is in trouble.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::AsArray;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::Message;
use tracewell_ingest::{Admission, Config, Ingest, Refused, Signal};
use tracewell_lake::{Commit, Fresh, FreshChunk, Lake, Location, Replaced, Transaction};
use tracewell_model::MAPPING_VERSION;
use tracewell_model::schema::FACT_TABLES;

use crate::skipped::skipped;
use crate::store::FaultyStore;

/// 2026-11-21, and a millisecond later at each look.
fn clock() -> i64 {
    static NOW: AtomicI64 = AtomicI64::new(1_795_219_200_000_000_000);
    NOW.fetch_add(1_000_000, Ordering::SeqCst)
}

fn config(wal: &Path) -> Config {
    Config {
        wal: wal.to_owned(),
        shards: 2,
        seal_bytes: 8 << 10,
        seal_interval: Duration::from_millis(20),
        memory_bytes: 64 << 20,
        wal_bytes: 1 << 30,
        contents_retention: None,
        team_keys: Vec::new(),
        quarantine: false,
        limits: Default::default(),
        clock,
    }
}

fn request(ids: std::ops::Range<u64>) -> Vec<u8> {
    let spans = ids.map(|id| Span {
        trace_id: u128::from(id / 10 + 1).to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        name: "work".into(),
        start_time_unix_nano: clock() as u64,
        end_time_unix_nano: clock() as u64,
        ..Span::default()
    });
    let scope_spans = vec![ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// The span ids of the committed files, with repeats.
async fn stored(location: &Location) -> Vec<String> {
    let lake = Lake::open(location.clone(), FACT_TABLES, false).await.expect("the tables open");
    let spans = lake.table("spans").expect("the table is there").snapshot();
    let mut ids = Vec::new();
    for file in &spans.files {
        let path = std::path::PathBuf::from(format!("/{}", file.path));
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).expect("the file is there"));
        for batch in reader.expect("it is Parquet").build().expect("it can be read") {
            let batch = batch.expect("it can be read");
            let column = batch.column_by_name("span_id").expect("the column is there").as_string::<i32>();
            ids.extend(column.iter().flatten().map(str::to_owned));
        }
    }
    ids
}

#[test]
fn a_store_that_fails_delays_and_half_succeeds_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let sound = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    // The tables are there before the trouble begins.
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    runtime()
        .block_on(async { Lake::open(sound.clone(), FACT_TABLES, true).await.map(|_| ()) })
        .expect("the tables are created");

    let tenant: Arc<str> = "default".into();
    let mut acked = BTreeSet::new();
    let mut faults = 0;
    for round in 0..12_u64 {
        // Each round ends like a crash: its runtime goes away in the middle of whatever it does.
        let runtime = runtime();
        let faulty = FaultyStore::new(Arc::clone(sound.store()), round + 1);
        let location = sound.clone().with_store(Arc::clone(&faulty) as _);
        runtime.block_on(async {
            let ingest = loop {
                let Ok(lake) = Lake::open(location.clone(), FACT_TABLES, false).await else {
                    continue;
                };
                if let Ok(ingest) = Ingest::start(&config(&folder.path().join("wal")), &lake).await {
                    break ingest;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            let admission = Admission::new(1 << 30);
            for number in 0..40 {
                let first = round * 10_000 + number * 10 + 1;
                let body = request(first..first + 5).into();
                ingest.submit(Signal::Traces, &tenant, body, admission.enter()).await.expect("the disk takes it");
                acked.extend((first..first + 5).map(|id| format!("{id:016x}")));
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            if round == 11 {
                faulty.heal();
                ingest.stop(Duration::from_secs(60)).await;
            }
        });
        faults += faulty.faults.load(Ordering::SeqCst);
        drop(runtime);
    }

    let stored = runtime().block_on(stored(&sound));
    let distinct: BTreeSet<String> = stored.iter().cloned().collect();
    assert!(faults > 20, "the store hardly misbehaved: {faults}");
    assert_eq!(acked.difference(&distinct).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
    assert_eq!(stored.len(), distinct.len(), "stored twice");
}

/// A request with one log record.
fn log_request(text: &str) -> Vec<u8> {
    let body = AnyValue { value: Some(any_value::Value::StringValue(text.into())) };
    let record = LogRecord { time_unix_nano: clock() as u64, body: Some(body), ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

#[test]
fn rows_read_again_after_a_crash_between_two_commits_are_not_seen_beside_the_stored_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let sound = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    runtime()
        .block_on(async { Lake::open(sound.clone(), FACT_TABLES, true).await.map(|_| ()) })
        .expect("the tables are created");
    let faulty = FaultyStore::refusing(Arc::clone(sound.store()), "spans/_delta_log");
    let location = sound.clone().with_store(faulty);
    let tenant: Arc<str> = "default".into();
    let mut config = config(&folder.path().join("wal"));
    config.shards = 1;
    let admission = Admission::new(1 << 30);

    // `logs` is committed; `spans`, whose transaction frees the log, never is. Then the process dies.
    runtime().block_on(async {
        let lake = Lake::open(location.clone(), FACT_TABLES, false).await.expect("the tables open");
        let ingest = Ingest::start(&config, &lake).await.expect("the log opens");
        ingest.submit(Signal::Logs, &tenant, log_request("first").into(), admission.enter()).await.expect("it fits");
        while lake.table("logs").expect("it is there").snapshot().files.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });

    runtime().block_on(async {
        let lake = Lake::open(location.clone(), FACT_TABLES, false).await.expect("the tables open");
        config.seal_interval = Duration::from_secs(3600);
        let ingest = Ingest::start(&config, &lake).await.expect("the log opens");
        ingest.submit(Signal::Logs, &tenant, log_request("second").into(), admission.enter()).await.expect("it fits");
        let logs = lake.table("logs").expect("it is there");
        let snapshot = logs.snapshot();
        let rows = |chunk: FreshChunk| chunk.days.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>();
        let replayed: usize = ingest.chunks("logs").into_iter().map(rows).sum();
        let beyond = ingest.chunks("logs").into_iter().filter_map(|chunk| chunk.beyond(&snapshot).expect("of logs"));
        assert_eq!(replayed, 2, "both records are in memory");
        assert_eq!(snapshot.files.iter().map(|file| file.rows).sum::<u64>(), 1, "one of them is in the table too");
        assert_eq!(beyond.map(rows).sum::<usize>(), 1, "and is seen there alone");
    });
}

/// A request with one model call, whose message is one content.
fn call_request() -> Vec<u8> {
    let attribute = |key: &str, value: &str| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) }),
        ..KeyValue::default()
    };
    let messages = r#"[{"role":"user","parts":[{"type":"text","content":"Where?"}]}]"#;
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        start_time_unix_nano: clock() as u64,
        attributes: vec![attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.input.messages", messages)],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// The rows of `spans` and `contents`, once a server has started over what is there and stopped.
async fn rows_after_a_start(config: &Config, location: &Location) -> [u64; 2] {
    let lake = Lake::open(location.clone(), FACT_TABLES, false).await.expect("the tables open");
    let started = async {
        loop {
            // A thread of the one before may hold the log for a moment.
            if let Ok(ingest) = Ingest::start(config, &lake).await {
                break ingest;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ingest = tokio::time::timeout(Duration::from_secs(60), started).await.expect("the log opens");
    ingest.stop(Duration::from_secs(60)).await;
    ["spans", "contents"].map(|name| {
        let snapshot = lake.table(name).expect("it is there").snapshot();
        snapshot.files.iter().map(|file| file.rows).sum()
    })
}

#[test]
fn contents_are_stored_once_though_a_crash_came_between_their_commit_and_that_of_spans() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let sound = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    let faulty = sound.clone().with_store(FaultyStore::refusing(Arc::clone(sound.store()), "spans/_delta_log"));
    let mut config = config(&folder.path().join("wal"));
    config.shards = 1;
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    runtime().block_on(async {
        Lake::open(sound.clone(), FACT_TABLES, true).await.expect("the tables are created");
        let lake = Lake::open(faulty, FACT_TABLES, false).await.expect("the tables open");
        let ingest = Ingest::start(&config, &lake).await.expect("the log opens");
        let admitted = Admission::new(1 << 30).enter();
        ingest.submit(Signal::Traces, &"default".into(), call_request().into(), admitted).await.expect("it fits");
        while lake.table("contents").expect("it is there").snapshot().files.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(runtime().block_on(rows_after_a_start(&config, &sound)), [1, 1]);
}

#[test]
fn contents_that_another_version_has_not_cut_out_are_stored_though_its_commit_of_them_came_before_a_crash() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let location = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    let mut config = config(&folder.path().join("wal"));
    config.shards = 1;
    config.seal_interval = Duration::from_secs(3600);
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    runtime().block_on(async {
        let lake = Lake::open(location.clone(), FACT_TABLES, true).await.expect("the tables are created");
        let ingest = Ingest::start(&config, &lake).await.expect("the log opens");
        let admitted = Admission::new(1 << 30).enter();
        ingest.submit(Signal::Traces, &"default".into(), call_request().into(), admitted).await.expect("it fits");
        // What earlier versions say of record 1: all contents that they found in it are in the table.
        let log = format!("{}/0", ingest.id());
        for app in [format!("{log}#{}", MAPPING_VERSION - 1), log] {
            let contents = lake.table("contents").expect("it is there");
            let landed = contents.commit(Vec::new(), &Transaction { app, version: 1 }, 0).await;
            assert!(matches!(landed, Ok(Commit::Landed(_))), "{landed:?}");
        }
    });
    assert_eq!(runtime().block_on(rows_after_a_start(&config, &location)), [1, 1]);
}

#[test]
fn a_store_that_is_gone_for_long_is_ridden_out_in_memory_and_then_refused_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let sound = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    let faulty = FaultyStore::down(Arc::clone(sound.store()));
    let location = sound.clone().with_store(Arc::clone(&faulty) as _);
    let tenant: Arc<str> = "default".into();
    let mut acked = BTreeSet::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stored = runtime.block_on(async {
        Lake::open(sound.clone(), FACT_TABLES, true).await.expect("the tables are created");
        let lake = Lake::open(location, FACT_TABLES, false).await.expect("the tables open");
        let mut config = config(&folder.path().join("wal"));
        config.memory_bytes = 1 << 20;
        let ingest = Ingest::start(&config, &lake).await.expect("the log opens");
        let admission = Admission::new(1 << 30);
        let mut first = 1;
        // A request is answered at once, stored or not: the interval of commits passes dozens of times meanwhile.
        let refused = loop {
            let body = request(first..first + 10).into();
            let answer = ingest.submit(Signal::Traces, &tenant, body, admission.enter());
            let answer = tokio::time::timeout(Duration::from_secs(10), answer).await.expect("an answer, not a wait");
            match answer {
                Ok(_) => acked.extend((first..first + 10).map(|id| format!("{id:016x}"))),
                // Memory may be full before the first commit has failed.
                Err(Refused::Overloaded(_)) => {}
                Err(refused) => break refused,
            }
            first += 10;
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
        assert!(ingest.memory() >= config.memory_bytes, "refused while there was room");
        assert!(ingest.commit_failures() > 0);
        faulty.heal();
        let body = || request(first..first + 10).into();
        while let Err(refused) = ingest.submit(Signal::Traces, &tenant, body(), admission.enter()).await {
            assert!(matches!(refused, Refused::Unavailable(_) | Refused::Overloaded(_)), "{refused}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        acked.extend((first..first + 10).map(|id| format!("{id:016x}")));
        ingest.stop(Duration::from_secs(60)).await;
        stored(&sound).await
    });
    assert_eq!(stored.iter().cloned().collect::<BTreeSet<_>>(), acked);
    assert_eq!(stored.len(), acked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_known_as_ones_own_though_its_answer_was_lost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let sound = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    let other = Lake::open(sound.clone(), FACT_TABLES, true).await.expect("the tables are created");
    let faulty = FaultyStore::down(Arc::clone(sound.store()));
    faulty.heal();
    let lake = Lake::open(sound.with_store(Arc::clone(&faulty) as _), FACT_TABLES, false).await;
    let lake = lake.expect("the tables open");
    let table = |lake: &Lake| Arc::clone(lake.table("scores").expect("the table is there"));
    let (ours, theirs) = (table(&lake), table(&other));
    // Neither adds a file by which it could be told.
    let transaction = |version| Transaction { app: "round".into(), version };
    for version in [1, 3] {
        faulty.lose_once();
        let landed = ours.commit_once(Vec::new(), &[transaction(version)], 0).await;
        assert!(matches!(landed, Ok(Commit::Landed(_))), "{landed:?}");
        let late = theirs.commit_once(Vec::new(), &[transaction(version)], 0).await;
        assert!(matches!(late, Ok(Commit::AlreadyIn)), "{late:?}");
        faulty.lose_once();
        let landed = ours.replace(Vec::new(), &[], true, &transaction(version + 1), 0).await;
        assert!(matches!(landed, Ok(Replaced::Landed(_))), "{landed:?}");
        let late = theirs.replace(Vec::new(), &[], true, &transaction(version + 1), 0).await;
        assert!(matches!(late, Ok(Replaced::Conflict)), "{late:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_panics_is_tried_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let sound = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    Lake::open(sound.clone(), FACT_TABLES, true).await.expect("the tables are created");
    let faulty = FaultyStore::down(Arc::clone(sound.store()));
    faulty.heal();
    let lake = Lake::open(sound.clone().with_store(Arc::clone(&faulty) as _), FACT_TABLES, false).await;
    let ingest = Ingest::start(&config(&folder.path().join("wal")), &lake.expect("the tables open")).await;
    let ingest = ingest.expect("the log opens");
    faulty.panic_once();
    let admission = Admission::new(1 << 30);
    ingest.submit(Signal::Traces, &"default".into(), request(1..3).into(), admission.enter()).await.expect("it fits");
    ingest.stop(Duration::from_secs(60)).await;
    assert_eq!(ingest.commit_failures(), 1);
    assert_eq!(stored(&sound).await.len(), 2);
}

#[test]
fn a_full_disk_refuses_what_it_cannot_keep_and_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wal = folder.path().join("wal");
    std::fs::create_dir(&wal).expect("the folder is new");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(&wal)
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        let test = "a_full_disk_refuses_what_it_cannot_keep_and_keeps_what_it_acknowledged";
        skipped(test, "mounting a small disk needs Linux and root");
        return;
    }
    let data = folder.path().join("data");
    let location = Location::parse(data.to_str().expect("the path is text"), &HashMap::new()).expect("it is a folder");
    let tenant: Arc<str> = "default".into();
    let mut acked = BTreeSet::new();
    let mut refused = 0;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let lake = Lake::open(location.clone(), FACT_TABLES, true).await.expect("the tables are created");
        let mut config = config(&wal);
        config.seal_interval = Duration::from_secs(3600);
        config.seal_bytes = 1 << 30;
        let ingest = Ingest::start(&config, &lake).await.expect("the log opens");
        let admission = Admission::new(1 << 30);
        for number in 0..2_000 {
            let first = number * 10 + 1;
            let body = request(first..first + 10).into();
            match ingest.submit(Signal::Traces, &tenant, body, admission.enter()).await {
                Ok(_) => acked.extend((first..first + 10).map(|id| format!("{id:016x}"))),
                Err(Refused::Unavailable(reason)) => {
                    assert!(reason.contains("space"), "{reason}");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        ingest.stop(Duration::from_secs(60)).await;
    });
    let stored: Vec<String> = runtime.block_on(stored(&location));
    let _ = std::process::Command::new("umount").arg("-l").arg(&wal).status();
    assert!(!acked.is_empty() && refused > 0, "{} acknowledged, {refused} refused", acked.len());
    assert_eq!(stored.iter().cloned().collect::<BTreeSet<_>>(), acked);
    assert_eq!(stored.len(), acked.len());
}
