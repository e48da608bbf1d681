//! Append, read, rotate, release, open again.

use std::fs;

use tracewell_wal::{Entry, Item, Options, Problem, WalDir, WalError, verify};

use crate::{append_through, body, entry, items, open, record, scratch, segment_path, seqs};

#[test]
fn synced_records_are_read_back() {
    let dir = scratch();
    let (wal, mut log) = open(dir.path());
    append_through(&mut log, 3);
    assert_eq!((log.last_seq(), log.durable_seq()), (3, 0));
    assert_eq!(log.sync().expect("a sync"), 3);
    let bodies: Vec<_> = (4..=8).map(body).collect();
    let group: Vec<_> = bodies.iter().zip(4..).map(|(body, seq)| entry(seq, body)).collect();
    assert_eq!(log.append_many(&group).expect("a group"), 8);
    assert_eq!(log.append_many(&[]).expect("an empty group"), 8);
    assert_eq!(log.sync().expect("a sync"), 8);
    assert_eq!(seqs(&wal), (1..=8).collect::<Vec<_>>());
    let id = wal.id();
    drop((wal, log));

    let (wal, mut log) = open(dir.path());
    assert_eq!((wal.id(), wal.findings()), (id, &[][..]));
    append_through(&mut log, 9);
    assert_eq!(seqs(&wal), (1..=9).collect::<Vec<_>>());
    let after: Vec<_> = wal.reader(0, 7).expect("shard 0").map(|item| item.expect("an item")).collect();
    assert_eq!(after, [8, 9].map(|seq| Item::Record(record(seq, &body(seq)))));
}

#[test]
fn empty_tenant_and_body_are_kept() {
    let dir = scratch();
    let (wal, mut log) = open(dir.path());
    let empty = Entry { received_at: i64::MIN, kind: 254, flags: 255, tenant: "", hash: 0, body: b"" };
    log.append(&empty).expect("an append");
    let [Item::Record(found)] = &items(&wal)[..] else { panic!("one record") };
    assert_eq!((found.received_at, found.kind, &found.tenant[..], &found.body[..]), (i64::MIN, 254, "", &b""[..]));
}

#[test]
fn a_file_is_written_over_and_what_it_held_never_comes_back() {
    let dir = scratch();
    let (wal, mut log) = open(dir.path());
    append_through(&mut log, 40);
    log.rotate(b"first").expect("a rotation");
    append_through(&mut log, 41);
    log.sync().expect("a sync");
    let emptied = fs::metadata(segment_path(dir.path(), 1)).expect("the first segment").len();
    log.release_through(40).expect("a release");
    log.rotate(b"second").expect("a rotation");
    append_through(&mut log, 43);
    assert_eq!(log.sync().expect("a sync"), 43);
    let path = segment_path(dir.path(), 42);
    assert_eq!(fs::metadata(&path).expect("the active segment").len(), emptied);
    assert!(log.segments()[1].bytes < emptied);
    assert_eq!(seqs(&wal), [41, 42, 43]);
    assert_eq!(verify(dir.path()).expect("a report").findings, []);
    drop((wal, log));

    // As it was left, and with an append that was cut short.
    let (wal, mut log) = open(dir.path());
    assert_eq!((wal.findings(), seqs(&wal)), (&[][..], vec![41, 42, 43]));
    append_through(&mut log, 44);
    let end = log.segments()[1].bytes as usize;
    drop((wal, log));
    let mut bytes = fs::read(&path).expect("the active segment");
    bytes[end - 1] ^= 1;
    fs::write(&path, bytes).expect("what the disk holds");
    let (wal, log) = open(dir.path());
    assert!(matches!(wal.findings()[0].problem, Problem::TornTail { .. }), "{:?}", wal.findings());
    assert_eq!(seqs(&wal), [41, 42, 43]);
    assert_eq!(fs::metadata(&path).expect("the active segment").len(), log.segments()[1].bytes);
}

#[test]
fn rotation_carries_the_preamble_and_release_keeps_the_active_segment() {
    let dir = scratch();
    let (wal, mut log) = open(dir.path());
    log.rotate(b"ignored: the segment is empty").expect("a rotation");
    for preamble in [b"a", b"b"] {
        let last = log.last_seq() + 3;
        append_through(&mut log, last);
        log.rotate(preamble).expect("a rotation");
        assert_eq!(log.durable_seq(), last);
    }
    append_through(&mut log, 7);
    let preambles = |items: Vec<Item>| items.into_iter().filter(|item| matches!(item, Item::Preamble(_))).count();
    assert_eq!((seqs(&wal).len(), preambles(items(&wal))), (7, 2));
    assert_eq!(wal.disk_bytes(), log.disk_bytes());

    log.release_through(5).expect("a release");
    assert_eq!(log.segments().iter().map(|segment| segment.first_seq).collect::<Vec<_>>(), [4, 7]);
    log.release_through(6).expect("a release");
    log.release_through(u64::MAX).expect("a release");
    assert_eq!(log.segments().iter().map(|segment| segment.first_seq).collect::<Vec<_>>(), [7]);
    assert_eq!(items(&wal)[0], Item::Preamble(b"b".to_vec()));
    assert_eq!(wal.reader(0, 0).expect("shard 0").first_seq(), 7);
    let on_disk = fs::metadata(segment_path(dir.path(), 7)).expect("the active segment").len();
    assert_eq!((wal.disk_bytes(), log.disk_bytes()), (on_disk, on_disk));
}

#[test]
fn reader_skips_segments_that_are_not_asked_for() {
    let dir = scratch();
    let (wal, mut log) = open(dir.path());
    for last in [3, 6, 9] {
        append_through(&mut log, last);
        log.rotate(b"p").expect("a rotation");
    }
    fs::remove_file(segment_path(dir.path(), 1)).expect("the first segment");
    let after: Vec<_> = wal.reader(0, 4).expect("shard 0").map(|item| item.expect("an item")).collect();
    assert_eq!(after.len(), 3 + 5); // a preamble for each of three segments, records 5 to 9
}

#[test]
fn sequence_goes_on_after_all_was_released() {
    let dir = scratch();
    let (_, mut log) = open(dir.path());
    append_through(&mut log, 5);
    log.rotate(b"hashes").expect("a rotation");
    log.release_through(5).expect("a release");
    drop(log);
    for _ in 0..2 {
        let (wal, log) = open(dir.path());
        assert_eq!((log.last_seq(), log.durable_seq()), (5, 5));
        assert_eq!(items(&wal), [Item::Preamble(b"hashes".to_vec())]);
    }
    let (wal, mut log) = open(dir.path());
    append_through(&mut log, 6);
    assert_eq!(seqs(&wal), [6]);
}

#[test]
fn segment_size_asks_for_rotation() {
    let dir = scratch();
    let mut wal = WalDir::open(dir.path(), 1, Options { segment_bytes: 300, ..Options::default() }).expect("a log");
    let mut log = wal.log(0).expect("shard 0");
    while !log.should_rotate() {
        let next = log.last_seq() + 1;
        append_through(&mut log, next);
    }
    assert!(log.disk_bytes() >= 300);
    log.rotate(&[1; 400]).expect("a rotation");
    assert!(!log.should_rotate(), "a preamble alone is nothing to rotate away from");
}

#[test]
fn second_writer_is_refused_until_the_last_log_is_gone() {
    let dir = scratch();
    let (wal, log) = open(dir.path());
    let locked = || matches!(WalDir::open(dir.path(), 1, Options::default()), Err(WalError::Locked { .. }));
    assert!(locked());
    drop(wal);
    assert!(locked());
    assert!(WalDir::open_read_only(dir.path()).is_ok());
    drop(log);
    assert!(!locked());
}

#[test]
fn a_log_is_handed_out_once() {
    let dir = scratch();
    let (mut wal, log) = open(dir.path());
    drop(log);
    assert!(matches!(wal.log(0), Err(WalError::NotWritable { .. })));
    assert!(matches!(wal.log(1), Err(WalError::NoShard { .. })));
    assert!(matches!(wal.reader(1, 0), Err(WalError::NoShard { .. })));
    let mut read_only = WalDir::open_read_only(dir.path()).expect("a log");
    assert!(matches!(read_only.log(0), Err(WalError::NotWritable { .. })));
}

#[test]
fn shards_no_longer_configured_are_found() {
    let dir = scratch();
    let mut wal = WalDir::open(dir.path(), 3, Options::default()).expect("a log");
    append_through(&mut wal.log(2).expect("shard 2"), 2);
    drop(wal);
    let mut wal = WalDir::open(dir.path(), 1, Options::default()).expect("a log");
    assert_eq!(wal.shards(), [0, 1, 2]);
    assert_eq!(wal.reader(2, 0).expect("shard 2").count(), 2);
    let mut log = wal.log(2).expect("shard 2");
    log.rotate(b"").expect("a rotation");
    log.release_through(2).expect("a release");
    assert_eq!(wal.reader(2, 0).expect("shard 2").count(), 0);
}

#[test]
fn refused_entries_leave_no_trace() {
    let dir = scratch();
    let options = Options { max_record_bytes: 100, max_total_bytes: 600, ..Options::default() };
    let mut wal = WalDir::open(dir.path(), 2, options).expect("a log");
    let (mut log, mut other) = (wal.log(0).expect("shard 0"), wal.log(1).expect("shard 1"));
    let before = log.disk_bytes();
    for kind in [0, 255] {
        let reserved = Entry { kind, ..entry(1, b"") };
        assert!(matches!(log.append_many(&[entry(1, b""), reserved]), Err(WalError::ReservedKind(_))));
    }
    assert!(matches!(log.append(&entry(1, &[0; 101])), Err(WalError::TooLarge { .. })));
    let tenant = "t".repeat(65_536);
    assert!(matches!(log.append(&Entry { tenant: &tenant, ..entry(1, b"") }), Err(WalError::TooLarge { .. })));
    assert_eq!((log.disk_bytes(), log.last_seq()), (before, 0));

    // The limit is for all shards together, and releasing gives it back.
    while log.append(&entry(1, &[7; 50])).is_ok() {}
    let Err(WalError::Limit { used, limit: 600, .. }) = other.append(&entry(1, &[7; 50])) else { panic!("full") };
    assert_eq!(used, log.disk_bytes() + other.disk_bytes());
    log.rotate(b"").expect("a rotation, also when full");
    log.release_through(u64::MAX).expect("a release");
    other.append(&entry(1, &[7; 50])).expect("room again");
}

#[test]
fn read_only_changes_nothing() {
    let dir = scratch();
    let (wal, mut log) = open(dir.path());
    append_through(&mut log, 4);
    drop((wal, log));
    let path = segment_path(dir.path(), 1);
    let mut torn = fs::read(&path).expect("the segment");
    torn.extend([1; 33]);
    fs::write(&path, &torn).expect("a torn end");
    fs::write(segment_path(dir.path(), 5), b"TWE").expect("a torn rotation");
    let wal = WalDir::open_read_only(dir.path());
    assert!(wal.expect("a log").reader(0, 0).is_err(), "a torn end before another segment is damage");
    fs::remove_file(segment_path(dir.path(), 5)).expect("the torn rotation");

    let wal = WalDir::open_read_only(dir.path()).expect("a log");
    assert_eq!(seqs(&wal), [1, 2, 3, 4]);
    let report = verify(dir.path()).expect("a report");
    assert!(report.is_sound());
    assert_eq!((report.segments.len(), report.segments[0].records, report.findings.len()), (1, 4, 1));
    assert!(report.findings[0].to_string().contains("`33` bytes of an unfinished append"));
    assert_eq!(fs::read(&path).expect("the segment"), torn);
    assert!(WalDir::open_read_only(dir.path().join("none")).is_err());
}

#[test]
fn lost_identity_is_not_minted_again() {
    let dir = scratch();
    drop(open(dir.path()));
    fs::write(dir.path().join("ID"), "no uuid").expect("a write");
    assert!(matches!(WalDir::open(dir.path(), 1, Options::default()), Err(WalError::Id { .. })));
    fs::remove_file(dir.path().join("ID")).expect("the identity");
    assert!(matches!(WalDir::open(dir.path(), 1, Options::default()), Err(WalError::Id { .. })));
    assert!(matches!(WalDir::open_read_only(dir.path()), Err(WalError::Id { .. })));
}

#[test]
fn an_append_is_taken_back_until_it_is_synced() {
    let dir = scratch();
    let (wal, mut log) = open(dir.path());
    append_through(&mut log, 2);
    log.append(&entry(3, b"never mind")).expect("an append");
    let bytes = log.disk_bytes();
    log.take_back().expect("a cut");
    assert_eq!(log.last_seq(), 2);
    assert!(log.disk_bytes() < bytes && wal.disk_bytes() == log.disk_bytes());
    log.take_back().expect("nothing is left to take back");
    append_through(&mut log, 4);
    assert_eq!(log.sync().expect("a sync"), 4);
    log.take_back().expect("what is synced stays");
    let written: Vec<Item> = log.reader(1).collect::<Result<_, _>>().expect("a readable log");
    assert_eq!(written, (2..=4).map(|seq| Item::Record(record(seq, &body(seq)))).collect::<Vec<_>>());
    drop((wal, log));
    let (wal, _log) = open(dir.path());
    assert!(wal.findings().is_empty(), "{:?}", wal.findings());
    assert_eq!(items(&wal), (1..=4).map(|seq| Item::Record(record(seq, &body(seq)))).collect::<Vec<_>>());
}
