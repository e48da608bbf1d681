//! The write-ahead log from outside: what is promised, under crashes, damage and full disks.

mod crash;
mod damage;
mod full_disk;
mod lifecycle;
mod model;
#[path = "../../../../tests/skipped.rs"]
mod skipped;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tracewell_wal::{Entry, Item, Log, Options, Record, WalDir, WalError};

/// A directory in memory where there is one: the tests sync thousands of times.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a temporary directory")
}

fn entry(seq: u64, body: &[u8]) -> Entry<'_> {
    Entry {
        received_at: -(seq as i64),
        kind: 1 + (seq % 3) as u8,
        flags: seq as u8,
        tenant: "tenant",
        hash: u128::MAX - u128::from(seq),
        body,
    }
}

/// The body of the record with this number, of a length that differs from its neighbours'.
fn body(seq: u64) -> Vec<u8> {
    (0..seq * 7 % 23).map(|i| (seq * 31 + i) as u8).collect()
}

fn record(seq: u64, body: &[u8]) -> Record {
    let Entry { received_at, kind, flags, tenant, hash, body } = entry(seq, body);
    Record { seq, received_at, kind, flags, tenant: tenant.to_owned(), hash, body: body.to_vec() }
}

/// Appends `body(seq)` for each number up to `last`.
fn append_through(log: &mut Log, last: u64) {
    for seq in log.last_seq() + 1..=last {
        assert_eq!(log.append(&entry(seq, &body(seq))).expect("an append"), seq);
    }
}

fn open(dir: &Path) -> (WalDir, Log) {
    let mut wal = WalDir::open(dir, 1, Options::default()).expect("an intact directory");
    let log = wal.log(0).expect("shard 0");
    (wal, log)
}

fn open_with_quarantine(dir: &Path) -> Result<WalDir, WalError> {
    WalDir::open(dir, 1, Options { quarantine: true, ..Options::default() })
}

fn items(wal: &WalDir) -> Vec<Item> {
    wal.reader(0, 0).expect("shard 0").collect::<Result<_, _>>().expect("a readable log")
}

/// The numbers of all records, each checked to be what `append_through` wrote.
fn seqs(wal: &WalDir) -> Vec<u64> {
    let record_seq = |item| match item {
        Item::Record(found) => {
            assert_eq!(found, record(found.seq, &body(found.seq)));
            Some(found.seq)
        }
        Item::Preamble(_) | Item::Lost(_) => None,
    };
    items(wal).into_iter().filter_map(record_seq).collect()
}

fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("shard-0/{first_seq:020}.wal"))
}

/// A copy of a closed directory.
fn copy(from: &Path) -> TempDir {
    let to = scratch();
    fs::create_dir(to.path().join("shard-0")).expect("a new directory");
    fs::copy(from.join("ID"), to.path().join("ID")).expect("a copy");
    for file in fs::read_dir(from.join("shard-0")).expect("a shard") {
        let file = file.expect("a segment");
        fs::copy(file.path(), to.path().join("shard-0").join(file.file_name())).expect("a copy");
    }
    to
}
