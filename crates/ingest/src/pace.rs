//! How a shard's sealer gets on with the store.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::memory::Memory;

/// A store that has not answered for so long is in trouble, like one that refuses.
const PATIENCE: Duration = Duration::from_secs(5);
/// While a shard waits for its sealer, it looks this often whether the store is in trouble.
const LOOK: Duration = Duration::from_millis(100);

/// What the sealer of a shard tells the shard, and those who ask how it is.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    /// Up to which record of the log everything is committed.
    committed: AtomicU64,
    /// When the store was asked for what it has not answered yet, in milliseconds after `began`; 0 when it owes nothing.
    asked: AtomicU64,
    /// Whether the last try to commit failed.
    failing: AtomicBool,
    failures: AtomicU64,
    moved: Condvar,
}

impl Pace {
    /// All records up to `committed` are in the tables.
    pub(crate) fn new(committed: u64) -> Self {
        Self {
            began: Instant::now(),
            committed: AtomicU64::new(committed),
            asked: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            moved: Condvar::new(),
        }
    }

    /// Waits for an answer of the store.
    pub(crate) async fn asks<T>(&self, work: impl Future<Output = T>) -> T {
        self.asked.store(self.milliseconds(), Ordering::Relaxed);
        let answer = work.await;
        self.asked.store(0, Ordering::Relaxed);
        answer
    }

    /// A try to commit a table has succeeded.
    pub(crate) fn succeeded(&self) {
        self.failing.store(false, Ordering::Relaxed);
    }

    /// A try to commit a table has failed.
    pub(crate) fn failed(&self) {
        self.asked.store(0, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Tries that failed since the start.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether the store refuses, or keeps the sealer waiting.
    pub(crate) fn in_trouble(&self) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        let late = asked > 0 && self.milliseconds().saturating_sub(asked) > PATIENCE.as_millis() as u64;
        late || self.failing.load(Ordering::Relaxed)
    }

    /// Up to which record everything is committed.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Everything up to `seq` is committed, and gone from memory.
    pub(crate) fn commit(&self, seq: u64) {
        self.committed.store(seq, Ordering::Release);
        self.moved.notify_all();
    }

    /// Waits until at most `most` generations wait for the sealer, or waiting is in `vain`.
    pub(crate) fn wait(&self, mut memory: MutexGuard<'_, Memory>, most: usize, vain: impl Fn(&Self) -> bool) {
        while memory.waiting() > most && !vain(self) {
            memory = self.moved.wait_timeout(memory, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn milliseconds(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }
}
