//! A full disk refuses requests and takes nothing that was stored before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tracewell_wal::{Options, WalDir, WalError};

use crate::skipped::skipped;
use crate::{append_through, entry, open, seqs};

/// A file system of one megabyte, or `None` without the right to mount one, which is said.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(test: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(dir.path()).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        skipped(test, "mounting a small disk needs Linux and root");
        None
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("wal")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn fill(disk: &Path) -> PathBuf {
    let filler = disk.with_file_name("filler");
    let _ = fs::write(&filler, vec![0; 2 << 20]); // fails half-way, which is the point
    filler
}

#[test]
fn full_disk_is_refused_undone_and_outlived() {
    let Some(disk) = SmallDisk::mount("full_disk_is_refused_undone_and_outlived") else { return };
    let (wal, mut log) = open(&disk.path());
    append_through(&mut log, 5);
    log.sync().expect("a sync");
    let (before, big) = (log.disk_bytes(), vec![5; 300 << 10]);
    let group = [entry(6, &big), entry(7, &big), entry(8, &big), entry(9, &big)];
    for _ in 0..3 {
        assert!(matches!(log.append_many(&group), Err(WalError::Full { .. })));
        let on_disk = fs::metadata(crate::segment_path(&disk.path(), 1)).expect("the segment").len();
        assert_eq!((log.disk_bytes(), wal.disk_bytes(), on_disk, log.last_seq()), (before, before, before, 5));
    }
    append_through(&mut log, 8);
    assert_eq!(log.sync().expect("a sync"), 8);
    drop((wal, log));
    let (wal, _log) = open(&disk.path());
    assert!(wal.findings().is_empty());
    assert_eq!(seqs(&wal), (1..=8).collect::<Vec<_>>());
}

#[test]
fn rotation_on_a_full_disk_leaves_the_old_segment_in_use() {
    let Some(disk) = SmallDisk::mount("rotation_on_a_full_disk_leaves_the_old_segment_in_use") else { return };
    let (wal, mut log) = open(&disk.path());
    append_through(&mut log, 5);
    let filler = fill(&disk.path());
    assert!(matches!(log.rotate(&[1; 64 << 10]), Err(WalError::Full { .. })));
    assert!(!crate::segment_path(&disk.path(), 6).exists());
    fs::remove_file(&filler).expect("the filler");
    append_through(&mut log, 7);
    log.rotate(b"preamble").expect("a rotation");
    append_through(&mut log, 9);
    assert_eq!(log.sync().expect("a sync"), 9);
    assert_eq!(seqs(&wal), (1..=9).collect::<Vec<_>>());
}

#[test]
fn full_disk_does_not_stop_a_restart() {
    let Some(disk) = SmallDisk::mount("full_disk_does_not_stop_a_restart") else { return };
    let (wal, mut log) = open(&disk.path());
    append_through(&mut log, 5);
    drop((wal, log));
    let path = crate::segment_path(&disk.path(), 1);
    let mut bytes = fs::read(&path).expect("the segment");
    bytes.extend([3; 100]);
    fs::write(&path, bytes).expect("a torn end");
    fill(&disk.path());
    let wal = WalDir::open(disk.path(), 1, Options::default()).expect("opening needs no space");
    assert_eq!(seqs(&wal), (1..=5).collect::<Vec<_>>());
}
