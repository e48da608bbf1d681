//! The write-ahead log: what is replayed was appended, no gap goes unsaid, and what is refused is left as it was.

mod damage;
mod segments;

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use arbitrary::{Result, Unstructured};
use tempfile::TempDir;
use tracewell_wal::{Entry, Item, Options, Problem, Record, WalDir, WalError, verify};

use crate::cost::bounded_with_buffers;

/// One record is held at a time, as bytes and as a copy of its tenant; a repair holds one to be written as well.
const FACTOR: usize = 8;

/// The reader's, and the window of the search for the next good record.
const BUFFERS: usize = 2 * (64 << 10);

/// The records that were appended, by sequence number.
type Written = BTreeMap<u64, Vec<u8>>;

/// A log that was written properly and then damaged.
pub(crate) fn check(data: &[u8]) {
    let dir = scratch(data);
    let mut choices = Unstructured::new(data);
    let written = write(dir.path(), &mut choices);
    check_intact(dir.path(), &written);
    damage::damage(&shard(dir.path()), &mut choices).ok();
    check_directory(dir.path(), Some(&written));
}

/// Segments of records with sound checksums that nobody appended, between bytes that are none.
pub(crate) fn check_built(data: &[u8]) {
    let dir = scratch(data);
    fs::create_dir(shard(dir.path())).expect("a new directory");
    segments::write(dir.path(), &mut Unstructured::new(data)).ok();
    check_directory(dir.path(), None);
}

/// A directory in memory where there is one. Its identity follows from the input: the same input gives the same bytes,
/// and no input can be fitted to the checksums of another.
fn scratch(data: &[u8]) -> TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let dir = dir.expect("a temporary directory");
    let half = |which: u8| {
        let mut hasher = DefaultHasher::new();
        (which, data).hash(&mut hasher);
        hasher.finish()
    };
    fs::write(dir.path().join("ID"), format!("{:016x}{:016x}\n", half(0), half(1))).expect("a file");
    dir
}

fn shard(dir: &Path) -> PathBuf {
    dir.join("shard-0")
}

fn entry(seq: u64, body: &[u8]) -> Entry<'_> {
    Entry { received_at: seq as i64, kind: 1, flags: 0, tenant: "tenant", hash: u128::from(seq), body }
}

/// Appends, syncs and rotates as the input says.
fn write(dir: &Path, choices: &mut Unstructured<'_>) -> Written {
    let mut wal = WalDir::open(dir, 1, Options::default()).expect("a new log");
    let mut log = wal.log(0).expect("shard 0");
    let mut written = Written::new();
    let mut step = || -> Result<()> {
        for _ in 0..choices.int_in_range(0..=12)? {
            match choices.int_in_range(0..=4)? {
                0 => drop(log.sync().expect("a sync")),
                1 => {
                    let length = choices.int_in_range(0..=40)?;
                    log.rotate(&vec![b'p'; length]).expect("a rotation");
                }
                _ => {
                    let length = choices.int_in_range(0..=200)?;
                    let body = choices.bytes(length.min(choices.len()))?.to_vec();
                    let seq = log.append(&entry(log.last_seq() + 1, &body)).expect("an append");
                    written.insert(seq, body);
                }
            }
        }
        Ok(())
    };
    step().ok();
    written
}

fn check_intact(dir: &Path, written: &Written) {
    let wal = WalDir::open_read_only(dir).expect("a log");
    let items: Vec<Item> = wal.reader(0, 0).expect("sound").map(|item| item.expect("sound")).collect();
    check_items(&items, 1, Some(written));
    assert_eq!(items.iter().filter(|item| matches!(item, Item::Record(_))).count(), written.len());
}

fn bounded<T>(input: usize, work: impl FnOnce() -> T) -> T {
    bounded_with_buffers(input, FACTOR, BUFFERS, work)
}

/// All ways to open a directory, and that they agree.
fn check_directory(dir: &Path, written: Option<&Written>) {
    let bytes: usize = files(&shard(dir)).values().map(Vec::len).sum();
    let report = bounded(bytes, || verify(dir)).expect("everything can be read");
    let read_only = bounded(bytes, || WalDir::open_read_only(dir).and_then(|wal| wal.reader(0, 0)));
    assert_eq!(read_only.is_ok(), report.is_sound(), "{:?}", report.findings);
    let before = files(&shard(dir));

    let quarantined = copy(dir);
    let opened = open(quarantined.path(), true);
    let can_open = report.findings.iter().all(|found| found.problem.is_harmless() || found.problem.can_quarantine());
    assert_eq!(opened.is_ok(), can_open, "{:?}", report.findings);
    if let Ok(wal) = opened {
        let items = check_items_of(&wal, written);
        drop(wal);
        let again = open(quarantined.path(), false).expect("it was repaired");
        assert!(again.findings().iter().all(|found| matches!(found.problem, Problem::Lost { .. })));
        assert_eq!(check_items_of(&again, written), items);
    }

    match bounded(bytes, || open(dir, false)) {
        Ok(wal) => {
            assert!(report.is_sound(), "{:?}", report.findings);
            check_items_of(&wal, written);
            drop(wal);
            check_goes_on(dir, written);
        }
        Err(WalError::Refused(finding)) => {
            assert!(!report.is_sound(), "{finding}");
            assert_eq!(files(&shard(dir)), before, "a refused open changes nothing");
        }
        Err(error) => panic!("{error}"),
    }
}

fn open(dir: &Path, quarantine: bool) -> std::result::Result<WalDir, WalError> {
    WalDir::open(dir, 1, Options { quarantine, ..Options::default() })
}

fn check_items_of(wal: &WalDir, written: Option<&Written>) -> Vec<Item> {
    let reader = wal.reader(0, 0).expect("an open log");
    let first_seq = reader.first_seq();
    let items: Vec<Item> = reader.map(|item| item.expect("an open log is sound")).collect();
    check_items(&items, first_seq, written);
    items
}

/// Numbers follow each other, what is lost is said, and what is there was written.
fn check_items(items: &[Item], first_seq: u64, written: Option<&Written>) -> u64 {
    let mut next = first_seq;
    for item in items {
        match item {
            Item::Preamble(_) => {}
            Item::Lost(lost) => {
                assert_eq!(lost.start, next);
                assert!(!lost.is_empty());
                next = lost.end;
            }
            Item::Record(found) => {
                assert_eq!(found.seq, next);
                next += 1;
                if let Some(written) = written {
                    let body = written.get(&found.seq).expect("a record that was appended");
                    assert_eq!(*found, record(&entry(found.seq, body), found.seq));
                }
            }
        }
    }
    next
}

fn record(entry: &Entry<'_>, seq: u64) -> Record {
    let Entry { received_at, kind, flags, tenant, hash, body } = *entry;
    Record { seq, received_at, kind, flags, tenant: tenant.to_owned(), hash, body: body.to_vec() }
}

/// A log that opens takes another record, behind all that it holds.
fn check_goes_on(dir: &Path, written: Option<&Written>) {
    let mut wal = open(dir, false).expect("it opened before");
    let before = check_items_of(&wal, written);
    let mut log = wal.log(0).expect("shard 0");
    let Some(seq) = log.last_seq().checked_add(1).filter(|seq| *seq < u64::MAX) else { return };
    assert_eq!(log.append(&entry(seq, b"new")).expect("an append"), seq);
    log.sync().expect("a sync");
    drop((wal, log));
    let after: Vec<Item> = open(dir, false).and_then(|wal| wal.reader(0, 0)?.collect()).expect("a sound log");
    let (last, rest) = after.split_last().expect("the new record");
    assert_eq!((rest, last), (&before[..], &Item::Record(record(&entry(seq, b"new"), seq))));
}

/// The files of a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder");
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("a file"));
    entries.map(|entry| read(entry.expect("an entry").path())).collect()
}

fn copy(dir: &Path) -> TempDir {
    let to = scratch(b"");
    fs::copy(dir.join("ID"), to.path().join("ID")).expect("a copy");
    fs::create_dir(shard(to.path())).expect("a new directory");
    for (path, bytes) in files(&shard(dir)) {
        fs::write(shard(to.path()).join(path.file_name().expect("a file")), bytes).expect("a copy");
    }
    to
}
