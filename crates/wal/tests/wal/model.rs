//! Random lives of a log, with crashes, against a plain map.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tracewell_wal::{Item, Log, Options, WalDir};

use crate::{entry, open, record, scratch, segment_path};

#[derive(Debug, Clone)]
enum Op {
    Append(Vec<Vec<u8>>),
    Sync,
    Rotate(Vec<u8>),
    Release(u8),
    Kill,
    PowerCut(PowerCut),
    /// A power cut while a new segment is being created: this much of it is on disk.
    CutInRotation(usize),
}

/// What the disk holds of unsynced bytes: some length, with pages not written, and garbage behind.
#[derive(Debug, Clone)]
struct PowerCut {
    kept: u8,
    page: usize,
    unwritten: u64,
    garbage: Vec<u8>,
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = |len| prop::collection::vec(any::<u8>(), 0..len);
    let power_cut = (any::<u8>(), prop::sample::select(vec![16_usize, 64, 100, 512]), any::<u64>(), bytes(200))
        .prop_map(|(kept, page, unwritten, garbage)| PowerCut { kept, page, unwritten, garbage });
    prop_oneof![
        8 => prop::collection::vec(bytes(150), 1..5).prop_map(Op::Append),
        4 => Just(Op::Sync),
        2 => bytes(60).prop_map(Op::Rotate),
        2 => any::<u8>().prop_map(Op::Release),
        1 => Just(Op::Kill),
        2 => power_cut.prop_map(Op::PowerCut),
        1 => (0..120_usize).prop_map(Op::CutInRotation),
    ]
}

/// A log and what it should hold.
struct Model {
    wal: WalDir,
    log: Log,
    bodies: BTreeMap<u64, Vec<u8>>,
    /// Bytes of the active segment at the last sync.
    synced_bytes: usize,
    /// All that its file held then.
    synced_file: Vec<u8>,
    released: u64,
}

impl Model {
    fn new(dir: &Path) -> Self {
        let (wal, log) = open(dir);
        let (bodies, synced_file) = (BTreeMap::new(), Vec::new());
        let mut model = Self { wal, log, bodies, synced_bytes: 0, synced_file, released: 0 };
        model.synced();
        model
    }

    /// Remembers what a power cut leaves alone.
    fn synced(&mut self) {
        let (first_seq, bytes) = self.active();
        self.synced_bytes = bytes;
        self.synced_file = fs::read(segment_path(self.wal.path(), first_seq)).expect("the active segment");
    }

    fn active(&self) -> (u64, usize) {
        let active = self.log.segments().last().expect("an active segment");
        (active.first_seq, active.bytes as usize)
    }

    /// Ends the process, does to its files what `crash` does, and starts it again.
    fn restart(mut self, crash: impl FnOnce(&Path)) -> Self {
        let (path, durable, written) = (self.wal.path().to_path_buf(), self.log.durable_seq(), self.log.last_seq());
        drop((self.wal, self.log));
        crash(&path);
        (self.wal, self.log) = open(&path);
        assert!((durable..=written).contains(&self.log.last_seq()));
        self.synced();

        let mut kept = BTreeMap::new();
        for item in self.wal.reader(0, 0).expect("shard 0") {
            match item.expect("a readable log") {
                Item::Preamble(_) => {}
                Item::Lost(lost) => {
                    assert!(lost.into_iter().all(|seq| seq > durable || !self.bodies.contains_key(&seq)))
                }
                Item::Record(found) => {
                    assert_eq!(found, record(found.seq, &self.bodies[&found.seq]));
                    kept.insert(found.seq, found.body);
                }
            }
        }
        for (seq, body) in self.bodies.range(self.released + 1..) {
            assert!(*seq > durable || kept.get(seq) == Some(body), "synced record {seq}");
        }
        self.bodies = kept;
        self
    }

    fn apply(mut self, op: Op) -> Self {
        match op {
            Op::Append(group) => {
                let group: Vec<_> = group.into_iter().zip(self.log.last_seq() + 1..).collect();
                let entries: Vec<_> = group.iter().map(|(body, seq)| entry(*seq, body)).collect();
                assert_eq!(self.log.append_many(&entries).expect("an append"), group[group.len() - 1].1);
                self.bodies.extend(group.into_iter().map(|(body, seq)| (seq, body)));
            }
            Op::Sync => {
                assert_eq!(self.log.sync().expect("a sync"), self.log.last_seq());
                self.synced();
            }
            Op::Rotate(preamble) => {
                self.log.rotate(&preamble).expect("a rotation");
                self.synced();
            }
            Op::Release(part) => {
                let seq = self.log.durable_seq() * u64::from(part) / 255;
                self.log.release_through(seq).expect("a release");
                self.released = self.released.max(self.log.segments()[0].first_seq - 1);
            }
            Op::Kill => self = self.restart(|_| {}),
            Op::PowerCut(cut) => {
                let ((first_seq, len), synced) = (self.active(), self.synced_bytes);
                let before = std::mem::take(&mut self.synced_file);
                self = self.restart(|dir| {
                    let path = segment_path(dir, first_seq);
                    let mut bytes = fs::read(&path).expect("the active segment");
                    assert!(bytes.len() >= len);
                    // Of what made the file longer some part is there.
                    let (old, new) = (before.len().min(bytes.len()), bytes.len());
                    bytes.truncate(old + (new - old) * usize::from(cut.kept) / 255);
                    for (i, page) in bytes[synced..].chunks_mut(cut.page).enumerate() {
                        if cut.unwritten >> (i % 64) & 1 == 1 {
                            for (at, byte) in (synced + i * cut.page..).zip(page) {
                                *byte = before.get(at).copied().unwrap_or(0);
                            }
                        }
                    }
                    bytes.extend(&cut.garbage);
                    fs::write(&path, bytes).expect("what the disk holds");
                });
            }
            Op::CutInRotation(len) => {
                self.log.rotate(b"before").expect("a rotation");
                let entry = entry(self.log.last_seq() + 1, b"x");
                let seq = self.log.append(&entry).expect("an append");
                self.bodies.insert(seq, b"x".to_vec());
                self.log.rotate(&[7; 20]).expect("a rotation");
                let next = self.log.last_seq() + 1;
                self = self.restart(|dir| {
                    let path = segment_path(dir, next);
                    let mut bytes = fs::read(&path).expect("the new segment");
                    bytes.truncate(len);
                    fs::write(&path, bytes).expect("what the disk holds");
                });
            }
        }
        self
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn synced_records_survive_any_life(ops in prop::collection::vec(op(), 1..40)) {
        let dir = scratch();
        let model = ops.into_iter().fold(Model::new(dir.path()), Model::apply);
        let model = model.restart(|_| {});
        drop((model.wal, model.log));
        let reopened = WalDir::open(dir.path(), 1, Options::default()).expect("an intact directory");
        prop_assert!(reopened.findings().iter().all(|finding| finding.problem.is_harmless()));
    }
}
