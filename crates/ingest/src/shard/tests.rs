use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tracewell_wal::{Options, WalDir};

use super::*;
use crate::admission::Admission;
use crate::rows::Rows;

/// A shard over the log in `folder`, which is opened once `before` has been there.
fn shard(folder: &Path, before: impl FnOnce(&Path)) -> Shard {
    let mut wal = WalDir::open(folder, 1, Options::default()).expect("an intact log");
    before(&folder.join("shard-0/00000000000000000001.wal"));
    Shard {
        log: wal.log(0).expect("shard 0"),
        recent: Recent::default(),
        memory: Arc::new(Mutex::new(Memory::new("log/0".into(), Box::new(|| Rows::new(Default::default())), 0))),
        bytes: Arc::default(),
        rule: SealRule { bytes: usize::MAX, interval: Duration::MAX },
        pace: Arc::new(Pace::new(0)),
        released: 0,
        broken: BTreeSet::new(),
        sealer: tokio::sync::mpsc::unbounded_channel().0,
    }
}

/// A request on its way, and where its answer comes.
fn submission(body: &[u8]) -> (Box<Submission>, oneshot::Receiver<Result<Outcome, Refused>>) {
    let (reply, answer) = oneshot::channel();
    let submission = Submission {
        signal: Signal::Traces,
        tenant: "default".into(),
        received_at: 1,
        hash: u128::from(body.iter().map(|byte| u64::from(*byte)).sum::<u64>()),
        body: Bytes::copy_from_slice(body),
        reply,
        admitted: Admission::new(1 << 20).enter(),
    };
    (Box::new(submission), answer)
}

/// Takes a request in, and gives what it is answered.
fn answer(shard: &mut Shard, body: &[u8]) -> Result<Outcome, Refused> {
    let (submission, mut answer) = submission(body);
    shard.group(vec![submission]);
    answer.try_recv().expect("an answer")
}

/// A model call whose message is `text`.
fn request(id: u64, text: &str) -> Vec<u8> {
    let attribute = |key: &str, value: String| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value)) }),
        ..KeyValue::default()
    };
    let messages = format!(r#"[{{"role":"user","parts":[{{"type":"text","content":"{text}"}}]}}]"#);
    let span = Span {
        trace_id: vec![1; 16],
        span_id: id.to_be_bytes().to_vec(),
        name: text.into(),
        start_time_unix_nano: 1_795_219_200_000_000_000,
        attributes: vec![
            attribute("gen_ai.operation.name", "chat".into()),
            attribute("gen_ai.input.messages", messages),
        ],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// Reads everything, and then panics over requests that say so.
fn panics_if_told(rows: &mut Rows, _: Signal, body: &[u8], receipt: Receipt<'_>) -> Outcome {
    let outcome = rows.traces(body, receipt).expect("a well-formed request");
    assert!(!body.windows(5).any(|window| window == b"panic"), "injected");
    outcome
}

/// The text of each row of `table` in `column`, in order.
fn texts(shard: &Shard, table: &str, column: &str) -> Vec<String> {
    let mut found = Vec::new();
    for chunk in shard.lock().chunks(table) {
        for (_, rows) in chunk.days {
            let texts = rows.column_by_name(column).expect("a column");
            let texts = arrow::compute::cast(texts, &DataType::Utf8).expect("text");
            found.extend(texts.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    found.sort();
    found
}

#[test]
fn a_shard_fills_one_generation_beside_the_one_being_committed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut shard = shard(folder.path(), |_| {});
    // Each request fills a generation, and nobody commits.
    shard.rule = SealRule { bytes: 1, interval: Duration::from_secs(3600) };
    let (sealer, generations) = tokio::sync::mpsc::unbounded_channel();
    shard.sealer = sealer;
    let (memory, pace) = (Arc::clone(&shard.memory), Arc::clone(&shard.pace));
    let (messages, inbox) = std::sync::mpsc::sync_channel(8);
    let thread = std::thread::spawn(move || shard.run(&inbox));
    let send = |id, text| {
        let (submission, answer) = submission(&request(id, text));
        messages.send(Message::Submit(submission)).expect("the shard lives");
        answer
    };
    for (id, text) in [(1, "a"), (2, "b")] {
        send(id, text).blocking_recv().expect("an answer").expect("it is taken in");
    }
    let mut third = send(3, "c");
    std::thread::sleep(Duration::from_millis(300));
    assert!(third.try_recv().is_err(), "it is not taken in while two generations are there");
    memory.lock().expect("nobody panicked").forget(1);
    pace.commit(1);
    third.blocking_recv().expect("an answer").expect("it is taken in");
    drop(generations);
    messages.send(Message::Stop).expect("the shard lives");
    thread.join().expect("it ends");
}

#[test]
fn a_request_whose_reading_panics_is_refused_and_costs_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut shard = shard(folder.path(), |_| {});
    shard.lock().reading = panics_if_told;
    answer(&mut shard, &request(1, "first")).expect("it is taken in");
    let refused = answer(&mut shard, &request(2, "panic"));
    assert_eq!(refused, Err(Refused::Broken("injected".into())));
    assert_eq!(answer(&mut shard, &request(2, "panic")), refused, "the retry is not told that it is stored");
    answer(&mut shard, &request(3, "third")).expect("it is taken in");
    assert_eq!(texts(&shard, "spans", "name"), ["first", "third"]);
    let contents = texts(&shard, "contents", "content");
    assert_eq!(contents.len(), 2, "{contents:?}");
    assert!(contents[0].contains("first") && contents[1].contains("third"), "{contents:?}");
    let logged: Vec<Item> = shard.log.reader(0).collect::<Result<_, _>>().expect("a readable log");
    assert_eq!(logged.len(), 2, "the log has what was acknowledged");
}

#[test]
fn a_record_whose_reading_panics_is_set_aside_at_the_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut before = shard(folder.path(), |_| {});
    for (id, text) in [(1, "first"), (2, "panic"), (3, "third"), (4, "panic too")] {
        answer(&mut before, &request(id, text)).expect("this version reads it");
    }
    drop(before);
    let mut shard = shard(folder.path(), |_| {});
    shard.lock().reading = panics_if_told;
    let log = shard.log.reader(0);
    let recovered = crate::recover::replay(&mut shard, log, 0).expect("the log is whole");
    assert_eq!((recovered.requests, recovered.set_aside), (4, 2));
    assert_eq!(texts(&shard, "spans", "name"), ["first", "third"]);
    let kept = std::fs::read(folder.path().join("quarantine/shard-0-00000000000000000002.traces.pb"));
    assert_eq!(kept.expect("its bytes are kept"), request(2, "panic"));
    // Those that come later are not held up by it.
    assert!(matches!(answer(&mut shard, &request(5, "panic")), Err(Refused::Broken(_))));
    answer(&mut shard, &request(6, "sixth")).expect("it is taken in");
    assert_eq!(texts(&shard, "spans", "name"), ["first", "sixth", "third"]);
}

/// Set in the process that is to end.
const CHILD: &str = "TRACEWELL_TEST_BROKEN_LOG";

#[test]
#[cfg(target_os = "linux")]
fn a_log_that_takes_no_more_calls_stops_the_process() {
    if std::env::var_os(CHILD).is_some() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // It takes no byte, and what was half written cannot be cut off.
        let mut shard = shard(folder.path(), |segment| {
            std::fs::remove_file(segment).expect("the segment is there");
            std::os::unix::fs::symlink("/dev/full", segment).expect("a link");
        });
        println!("first: {:?}", answer(&mut shard, &request(1, "first")));
        println!("second: {:?}", answer(&mut shard, &request(2, "second")));
        return;
    }
    let told = aborted("a_log_that_takes_no_more_calls_stops_the_process");
    assert!(told.contains("first: Err(Unavailable"), "{told}");
    assert!(!told.contains("second: "), "it went on: {told}");
}

/// What a test tells in a process of its own, which it aborts.
#[cfg(target_os = "linux")]
fn aborted(test: &str) -> String {
    let name = format!("shard::tests::{test}");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    let output = child.args(["--exact", &name, "--nocapture"]).env(CHILD, "1").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.signal(), Some(6), "it aborts: {told}");
    told
}

#[test]
#[cfg(target_os = "linux")]
fn rows_that_a_panic_may_have_taken_stop_the_process() {
    if std::env::var_os(CHILD).is_some() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut shard = shard(folder.path(), |_| {});
        println!("first: {:?}", answer(&mut shard, &request(1, "first")));
        let memory = Arc::clone(&shard.memory);
        let looking = std::thread::spawn(move || {
            let _rows = memory.lock();
            assert!(memory.is_poisoned(), "injected");
        });
        assert!(looking.join().is_err());
        // Sealed now, the first would be given up as committed.
        shard.seal();
        println!("second");
        return;
    }
    let told = aborted("rows_that_a_panic_may_have_taken_stop_the_process");
    assert!(told.contains("first: Ok") && !told.contains("second"), "{told}");
}
