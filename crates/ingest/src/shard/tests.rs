use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

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
        memory: Arc::new(Mutex::new(Memory::new("log/0".into(), Rows::new(Default::default()), 0))),
        bytes: Arc::default(),
        rule: SealRule { bytes: usize::MAX, interval: Duration::MAX },
        pace: Arc::new(Pace::new(0)),
        released: 0,
        sealer: tokio::sync::mpsc::unbounded_channel().0,
    }
}

/// Takes a request in, and gives what it is answered.
fn answer(shard: &mut Shard, body: &'static [u8]) -> Result<Outcome, Refused> {
    let (reply, mut answer) = oneshot::channel();
    let submission = Submission {
        signal: Signal::Traces,
        tenant: "default".into(),
        received_at: 1,
        hash: body.len() as u128,
        body: Bytes::from_static(body),
        reply,
        admitted: Admission::new(1 << 20).enter(),
    };
    shard.group(vec![Box::new(submission)]);
    answer.try_recv().expect("an answer")
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
        println!("first: {:?}", answer(&mut shard, b"\x0a\x00"));
        println!("second: {:?}", answer(&mut shard, b"\x0a\x00\x0a\x00"));
        return;
    }
    let name = "shard::tests::a_log_that_takes_no_more_calls_stops_the_process";
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("first: Err(Unavailable"), "{told}");
    assert!(!told.contains("second: "), "it went on: {told}");
    assert_eq!(output.status.signal(), Some(6), "it aborts: {told}");
}
