use super::*;
use crate::WalDir;
use crate::segment::HEADER_LEN;

const ENTRY: Entry<'_> = Entry { received_at: 1, kind: 1, flags: 0, tenant: "t", hash: 2, body: b"body" };

fn log_writing_to(device: &str) -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut log = WalDir::open(dir.path(), 1, Options::default()).and_then(|mut wal| wal.log(0)).expect("a new log");
    log.file = File::options().write(true).open(device).expect("a device file");
    (dir, log)
}

#[test]
#[cfg(target_os = "linux")]
fn failed_sync_poisons() {
    let (_dir, mut log) = log_writing_to("/dev/null"); // takes writes, refuses to sync
    log.append(&ENTRY).expect("a write to the null device");
    assert!(matches!(log.sync(), Err(WalError::SyncFailed { .. })));
    assert!(matches!(log.sync(), Err(WalError::Poisoned { .. })));
    assert!(matches!(log.append(&ENTRY), Err(WalError::Poisoned { .. })));
    assert!(matches!(log.rotate(b""), Err(WalError::Poisoned { .. })));
    assert!(matches!(log.release_through(1), Err(WalError::Poisoned { .. })));
    assert_eq!(log.durable_seq(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn failed_undo_poisons() {
    let (_dir, mut log) = log_writing_to("/dev/full"); // refuses writes, cannot be cut
    assert!(matches!(log.append(&ENTRY), Err(WalError::Full { .. })));
    assert!(matches!(log.append(&ENTRY), Err(WalError::Poisoned { .. })));
    assert_eq!((log.last_seq(), log.disk_bytes()), (0, HEADER_LEN));
}
