//! What a crash leaves behind is repaired, and appends go on.

use std::fs;

use tracewell_wal::{Item, Options, Problem, WalDir, verify};

use crate::{append_through, copy, entry, items, open, scratch, segment_path, seqs};

/// Opens, expects a prefix of at least `synced` records, appends one more and reads all of them again.
fn reopens_as_prefix(dir: &std::path::Path, synced: u64) -> u64 {
    let (wal, mut log) = open(dir);
    let found = seqs(&wal);
    let last = log.last_seq();
    assert_eq!(found, (1..=last).collect::<Vec<_>>());
    assert!(last >= synced);
    append_through(&mut log, last + 1);
    log.sync().expect("a sync");
    drop((wal, log));
    let (wal, _log) = open(dir);
    assert!(wal.findings().is_empty(), "{:?}", wal.findings());
    assert_eq!(seqs(&wal), (1..=last + 1).collect::<Vec<_>>());
    last
}

#[test]
fn every_truncation_leaves_a_prefix() {
    let original = scratch();
    let (_, mut log) = open(original.path());
    append_through(&mut log, 6);
    log.sync().expect("a sync");
    drop(log);
    let whole = fs::read(segment_path(original.path(), 1)).expect("the segment");
    let mut last_before = 0;
    for len in 0..=whole.len() {
        let dir = copy(original.path());
        fs::write(segment_path(dir.path(), 1), &whole[..len]).expect("a truncation");
        let last = reopens_as_prefix(dir.path(), 0);
        assert!(last >= last_before);
        last_before = last;
    }
    assert_eq!(last_before, 6);
}

#[test]
fn every_truncation_of_a_new_segment_falls_back_to_the_one_before() {
    let original = scratch();
    let (_, mut log) = open(original.path());
    append_through(&mut log, 3);
    log.rotate(b"recent hashes").expect("a rotation");
    let preamble_end = log.segments()[1].bytes as usize;
    append_through(&mut log, 5);
    drop(log);
    let whole = fs::read(segment_path(original.path(), 4)).expect("the segment");
    for len in 0..=whole.len() {
        let dir = copy(original.path());
        fs::write(segment_path(dir.path(), 4), &whole[..len]).expect("a truncation");
        let findings = verify(dir.path()).expect("a report").findings;
        let torn_rotation = len < preamble_end && len != 48;
        assert_eq!(findings.iter().any(|finding| finding.problem == Problem::TornRotation), torn_rotation, "{len}");
        reopens_as_prefix(dir.path(), 3);
        assert_eq!(segment_path(dir.path(), 4).exists(), !torn_rotation);
    }
}

#[test]
fn garbage_at_the_end_is_cut_before_appending() {
    for garbage in [vec![0; 4096], vec![0xff; 57], vec![1], (0..=255).collect()] {
        let dir = scratch();
        let (_, mut log) = open(dir.path());
        append_through(&mut log, 4);
        log.sync().expect("a sync");
        drop(log);
        let path = segment_path(dir.path(), 1);
        let mut bytes = fs::read(&path).expect("the segment");
        bytes.extend(&garbage);
        fs::write(&path, bytes).expect("garbage");
        let found = verify(dir.path()).expect("a report").findings.into_iter().map(|finding| finding.problem);
        // Zeros are what an end looks like in a file that held more before.
        let torn = garbage.iter().any(|byte| *byte != 0);
        let expected = torn.then_some(Problem::TornTail { bytes: garbage.len() as u64 });
        assert_eq!(found.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
        assert_eq!(reopens_as_prefix(dir.path(), 4), 4);
    }
}

#[test]
fn unsynced_records_of_a_killed_process_are_kept() {
    let dir = scratch();
    let (_, mut log) = open(dir.path());
    append_through(&mut log, 4); // never synced, but the kernel has it
    drop(log);
    assert_eq!(reopens_as_prefix(dir.path(), 4), 4);
}

/// A power cut may write a later page of an unsynced group and not an earlier one.
#[test]
fn a_group_torn_in_its_middle_keeps_what_is_whole() {
    let dir = scratch();
    let (_, mut log) = open(dir.path());
    append_through(&mut log, 2);
    log.sync().expect("a sync");
    let start = log.disk_bytes() as usize;
    append_through(&mut log, 4);
    let end = log.disk_bytes() as usize;
    append_through(&mut log, 6);
    drop(log);
    let path = segment_path(dir.path(), 1);
    let mut bytes = fs::read(&path).expect("the segment");
    bytes[start..end].fill(0);
    bytes.extend([9; 20]);
    fs::write(&path, &bytes).expect("a torn group");

    let read_only = WalDir::open_read_only(dir.path()).expect("a log");
    assert_eq!(seqs(&read_only), [1, 2, 5, 6]);
    let (wal, mut log) = open(dir.path());
    assert_eq!(wal.findings()[0].problem, Problem::TornGroup { lost: 3..5 });
    assert_eq!(wal.findings()[0].offset, start as u64);
    assert!(items(&wal).contains(&Item::Lost(3..5)));
    append_through(&mut log, 7);
    drop((wal, log));
    let (wal, log) = open(dir.path());
    assert_eq!(seqs(&wal), [1, 2, 5, 6, 7]);
    assert_eq!(wal.findings()[0].problem, Problem::Lost { lost: 3..5 });
    assert_eq!(log.last_seq(), 7);
    let kept = dir.path().join("quarantine/shard-0-00000000000000000001.1.wal");
    assert_eq!(fs::read(kept).expect("the original"), bytes);
}

#[test]
fn half_made_shards_and_repairs_are_cleared() {
    let dir = scratch();
    fs::create_dir(dir.path().join("shard-0.tmp")).expect("a new directory");
    fs::write(dir.path().join("shard-0.tmp/00000000000000000001.wal"), b"TW").expect("a write");
    drop(open(dir.path()));
    let leftover = dir.path().join("shard-0/00000000000000000001.tmp");
    fs::write(&leftover, b"half a repair").expect("a write");
    assert_eq!(reopens_as_prefix(dir.path(), 0), 0);
    assert!(!leftover.exists());
}

/// A client's body that holds a whole record must not be taken for one once its own record is torn.
#[test]
fn records_inside_a_torn_body_are_not_found() {
    let (dir, victim) = (scratch(), scratch());
    let (_, mut log) = open(dir.path());
    append_through(&mut log, 5);
    drop(log);
    let forged = fs::read(segment_path(dir.path(), 1)).expect("the segment");
    let (_, mut log) = open(victim.path());
    append_through(&mut log, 1);
    let (start, bytes) = (log.disk_bytes(), forged[48..].to_vec());
    log.append(&tracewell_wal::Entry { tenant: "", ..entry(2, &bytes) }).expect("an append");
    drop(log);
    let path = segment_path(victim.path(), 1);
    let mut torn = fs::read(&path).expect("the segment");
    torn[start as usize] ^= 1;
    fs::write(&path, torn).expect("a torn head");
    assert_eq!(reopens_as_prefix(victim.path(), 1), 1);
}

#[test]
fn lying_lengths_allocate_nothing() {
    // A head that is right in everything but claims four gigabytes: only its own segment could have written it.
    let dir = scratch();
    let (_, mut log) = open(dir.path());
    append_through(&mut log, 2);
    drop(log);
    let path = segment_path(dir.path(), 1);
    let mut bytes = fs::read(&path).expect("the segment");
    let seed = u32::from_le_bytes(bytes[44..48].try_into().expect("the header's checksum"));
    let mut head = bytes[48..104].to_vec();
    head[0..4].copy_from_slice(&0xffff_ff00_u32.to_le_bytes());
    head[8..16].copy_from_slice(&3_u64.to_le_bytes());
    let mut crc = crc32fast::Hasher::new_with_initial(seed);
    crc.update(&head[..52]);
    head[52..56].copy_from_slice(&crc.finalize().to_le_bytes());
    bytes.extend(head);
    fs::write(&path, bytes).expect("a write");
    assert_eq!(reopens_as_prefix(dir.path(), 2), 2);
    assert!(WalDir::open(dir.path(), 1, Options::default()).is_ok());
}
