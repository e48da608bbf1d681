//! Damage to acknowledged records is never passed over in silence.

use std::fs;
use std::path::Path;

use tracewell_wal::{Item, Options, Problem, WalDir, WalError, verify};

use crate::{append_through, copy, items, open, open_with_quarantine, scratch, segment_path, seqs};

/// Records 1 to 3, a rotation, 4 to 6 synced one by one. Where the record `seq` starts is `starts[seq]`.
fn two_segments() -> (tempfile::TempDir, Vec<usize>) {
    let dir = scratch();
    let (_, mut log) = open(dir.path());
    let mut starts = vec![0];
    for seq in 1..=6 {
        if seq == 4 {
            log.rotate(b"preamble").expect("a rotation");
        }
        starts.push(log.segments().last().expect("a segment").bytes as usize);
        append_through(&mut log, seq);
        log.sync().expect("a sync");
    }
    (dir, starts)
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("the segment");
    change(&mut bytes);
    fs::write(path, bytes).expect("a write");
}

fn refusal(dir: &Path) -> Option<Problem> {
    match WalDir::open(dir, 1, Options::default()) {
        Ok(_) => None,
        Err(WalError::Refused(finding)) => Some(finding.problem),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_bit_flip_is_cut_or_refused() {
    let (original, starts) = two_segments();
    for first_seq in [1, 4] {
        let len = fs::metadata(segment_path(original.path(), first_seq)).expect("the segment").len() as usize;
        for bit in 0..len * 8 {
            let dir = copy(original.path());
            let path = segment_path(dir.path(), first_seq);
            change(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let flipped = fs::read(&path).expect("the segment");
            let sound = verify(dir.path()).expect("a report").is_sound();
            let read_only = WalDir::open_read_only(dir.path()).expect("a log").reader(0, 0);
            assert_eq!(read_only.is_ok(), sound);
            let in_last_record = first_seq == 4 && bit / 8 >= starts[6];
            match WalDir::open(dir.path(), 1, Options::default()) {
                Ok(wal) => {
                    assert!(sound && in_last_record, "bit {bit} of segment {first_seq}");
                    assert!(matches!(wal.findings()[0].problem, Problem::TornTail { .. }));
                    assert_eq!(seqs(&wal), [1, 2, 3, 4, 5]);
                }
                Err(WalError::Refused(finding)) => {
                    assert!(!sound && !in_last_record, "bit {bit} of segment {first_seq}: {finding}");
                    assert!(finding.offset as usize <= bit / 8 && finding.path == path);
                    assert_eq!(fs::read(&path).expect("the segment"), flipped, "a refused open changes nothing");
                    assert!(!dir.path().join("quarantine").exists());
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn quarantine_keeps_all_good_records_for_every_damaged_byte() {
    let (original, starts) = two_segments();
    for first_seq in [1, 4] {
        let len = fs::metadata(segment_path(original.path(), first_seq)).expect("the segment").len() as usize;
        for byte in 0..len {
            let dir = copy(original.path());
            change(&segment_path(dir.path(), first_seq), |bytes| bytes[byte] ^= 0x55);
            let of_segment = first_seq as usize..=first_seq as usize + 2;
            let hit = of_segment.rev().find(|&seq| starts[seq] <= byte).map(|seq| seq as u64);
            let wal = open_with_quarantine(dir.path()).expect("quarantine opens anything damaged");
            assert_eq!(seqs(&wal), (1..=6).filter(|&seq| Some(seq) != hit).collect::<Vec<_>>(), "byte {byte}");
            let lost =
                items(&wal).into_iter().find_map(|item| if let Item::Lost(lost) = item { Some(lost) } else { None });
            assert_eq!(lost, hit.filter(|&seq| seq != 6).map(|seq| seq..seq + 1));
            drop(wal);
            let (wal, mut log) = open(dir.path()); // from now on without quarantine
            append_through(&mut log, 8);
            log.sync().expect("a sync");
            assert!(seqs(&wal).ends_with(&[7, 8]));
        }
    }
}

#[test]
fn missing_segment_is_damage() {
    let dir = scratch();
    let (_, mut log) = open(dir.path());
    for last in [2, 4, 6, 8] {
        append_through(&mut log, last);
        log.rotate(b"p").expect("a rotation");
    }
    drop(log);
    fs::remove_file(segment_path(dir.path(), 3)).expect("a segment");
    assert_eq!(refusal(dir.path()), Some(Problem::Missing { lost: 3..5 }));
    assert!(WalDir::open_read_only(dir.path()).expect("a log").reader(0, 0).is_err());
    let wal = open_with_quarantine(dir.path()).expect("a log");
    assert_eq!(seqs(&wal), [1, 2, 5, 6, 7, 8]);
    assert!(items(&wal).contains(&Item::Lost(3..5)));
    drop(wal);
    assert_eq!(refusal(dir.path()), None);
    assert_eq!(verify(dir.path()).expect("a report").findings[0].problem, Problem::Lost { lost: 3..5 });
}

#[test]
fn missing_end_of_an_older_segment_is_damage() {
    let (dir, starts) = two_segments();
    let path = segment_path(dir.path(), 1);
    let whole = fs::read(&path).expect("the segment");
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).expect("a truncation");
        let (Problem::Damage { lost } | Problem::Missing { lost }) = refusal(dir.path()).expect("damage") else {
            panic!("a truncation at {len} is damage");
        };
        if len >= 48 {
            let kept = (1..=2).filter(|&seq| starts[seq + 1] <= len).count() as u64;
            assert_eq!(lost, kept + 1..4, "{len}");
        }
    }
    let wal = open_with_quarantine(dir.path()).expect("a log");
    assert_eq!(seqs(&wal), [1, 2, 4, 5, 6]);
}

#[test]
fn torn_rotation_does_not_hide_a_gap() {
    let (dir, _) = two_segments();
    fs::write(segment_path(dir.path(), 9), b"").expect("a torn rotation");
    assert_eq!(refusal(dir.path()), Some(Problem::Missing { lost: 7..9 }));
    let mut wal = open_with_quarantine(dir.path()).expect("a log");
    assert_eq!(wal.log(0).expect("shard 0").last_seq(), 8);
}

#[test]
fn shard_without_segments_is_refused() {
    let dir = scratch();
    drop(open(dir.path()));
    fs::remove_file(segment_path(dir.path(), 1)).expect("the segment");
    assert_eq!(refusal(dir.path()), Some(Problem::Empty));
    assert!(open_with_quarantine(dir.path()).is_err());
}

#[test]
fn a_file_called_zero_is_no_segment() {
    let dir = scratch();
    drop(open(dir.path()));
    fs::rename(segment_path(dir.path(), 1), segment_path(dir.path(), 0)).expect("a renamed segment");
    assert_eq!(refusal(dir.path()), Some(Problem::Empty));
}

#[test]
fn segments_of_another_place_are_refused() {
    let (dir, _) = two_segments();
    let (other, _) = two_segments();
    fs::copy(segment_path(other.path(), 4), segment_path(dir.path(), 4)).expect("a mixed-up copy");
    assert!(matches!(refusal(dir.path()), Some(Problem::Foreign { first_seq: 4, .. })));
    assert!(matches!(open_with_quarantine(dir.path()), Err(WalError::Refused(_))));
    assert!(!verify(dir.path()).expect("a report").is_sound());

    let (dir, _) = two_segments();
    fs::rename(segment_path(dir.path(), 4), segment_path(dir.path(), 7)).expect("a renamed segment");
    assert!(refusal(dir.path()).is_some());
}

#[test]
fn another_format_version_is_refused() {
    let (dir, _) = two_segments();
    change(&segment_path(dir.path(), 4), |bytes| {
        bytes[8] = 9;
        let crc = crc32fast::hash(&bytes[..44]);
        bytes[44..48].copy_from_slice(&crc.to_le_bytes());
    });
    assert_eq!(refusal(dir.path()), Some(Problem::Version { found: 9 }));
}

#[test]
fn damage_behind_an_open_log_is_an_error_not_an_end() {
    for (byte, at_end) in [(60, false), (0, true)] {
        let (dir, starts) = two_segments();
        let (wal, _log) = open(dir.path());
        let byte = if at_end { starts[6] } else { byte };
        change(&segment_path(dir.path(), if at_end { 4 } else { 1 }), |bytes| bytes[byte] ^= 1);
        let last = wal.reader(0, 0).expect("shard 0").last();
        assert!(matches!(last, Some(Err(WalError::Refused(_)))));
    }
}

#[test]
fn messages_say_where_and_what_to_do() {
    let (dir, starts) = two_segments();
    change(&segment_path(dir.path(), 1), |bytes| bytes[starts[2]] ^= 1);
    let Err(error) = WalDir::open(dir.path(), 1, Options::default()) else { panic!("damage") };
    let path = segment_path(dir.path(), 1);
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` at byte `{}`: damage to synced bytes, record `2` unreadable; \
             restore the file, or open with quarantine to go on without what is lost",
            path.display(),
            starts[2]
        )
    );
}
