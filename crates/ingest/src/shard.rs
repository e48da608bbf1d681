//! One shard: a thread that owns a write-ahead log and the rows not yet committed.
//!
//! The thread takes whatever waits, appends it to the log, reads it into rows, syncs the log once for all, and
//! answers. Reading the rows before the sync costs no latency that matters, and only what is in the log is ever read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;
use tracewell_wal::{Entry, Item, Log, Record, WalError};

use crate::admission::Admitted;
use crate::generation::Generation;
use crate::memory::{Memory, Panicked};
use crate::pace::Pace;
use crate::recent::Recent;
use crate::rows::{Outcome, Receipt};
use crate::signal::Signal;

/// Requests that share one sync of the log at most.
const GROUP_REQUESTS: usize = 256;
/// Bytes that share one sync of the log at most.
const GROUP_BYTES: usize = 8 << 20;
/// Generations being committed that a shard in step with the store goes on beside: it fills the next meanwhile, and
/// waits once that is full. More would not make the store faster, and at full load every shard has as many as it may.
const IN_STEP: usize = 1;

/// Why a well-formed request was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Try again soon: memory or a queue is full.
    #[error("the collector is overloaded: {0}; send again after a pause")]
    Overloaded(&'static str),
    /// Try again later: the disk or the store is in trouble.
    #[error("the collector cannot store anything now: {0}; send again later")]
    Unavailable(String),
    /// Never: reading it panicked.
    #[error(
        "the collector failed over this request and stored nothing of it; this is a fault of Tracewell, please report it: {0}"
    )]
    Broken(String),
}

/// A request on its way to a shard.
#[derive(Debug)]
pub struct Submission {
    /// What it is.
    pub signal: Signal,
    /// Whose it is.
    pub tenant: Arc<str>,
    /// When it was received, in nanoseconds since 1970.
    pub received_at: i64,
    /// Hash of signal, tenant and body.
    pub hash: u128,
    /// The protobuf bytes; their framing has been checked.
    pub body: Bytes,
    /// Gets the answer once the bytes are durable.
    pub reply: oneshot::Sender<Result<Outcome, Refused>>,
    /// Its share of the memory in flight.
    pub admitted: Admitted,
}

pub(crate) enum Message {
    Submit(Box<Submission>),
    /// Seal what there is now.
    Seal,
    /// Seal what there is, and end.
    Stop,
}

/// When a shard seals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealRule {
    pub(crate) bytes: usize,
    pub(crate) interval: Duration,
}

/// The shared side of a shard.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    pub(crate) messages: SyncSender<Message>,
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) bytes: Arc<AtomicUsize>,
    pub(crate) pace: Arc<Pace>,
}

impl ShardHandle {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own side of a shard.
pub(crate) struct Shard {
    pub(crate) log: Log,
    pub(crate) recent: Recent,
    pub(crate) memory: Arc<Mutex<Memory>>,
    pub(crate) bytes: Arc<AtomicUsize>,
    pub(crate) rule: SealRule,
    /// How the sealer gets on.
    pub(crate) pace: Arc<Pace>,
    pub(crate) released: u64,
    /// Records over which reading panics.
    pub(crate) broken: BTreeSet<u64>,
    /// Generations on their way to the sealer; its end stops the sealer. What bounds them is the memory of all rows.
    pub(crate) sealer: tokio::sync::mpsc::UnboundedSender<Arc<Generation>>,
}

/// What a request of the group waits for.
struct Waiting {
    submission: Box<Submission>,
    outcome: Result<Outcome, Refused>,
}

/// Which of the written pages reached the disk is unknown from here on, so nothing may be acknowledged any more.
fn stop_the_process(error: &dyn std::fmt::Display) -> ! {
    tracing::error!(%error, "stopping, before anything more is acknowledged");
    std::process::abort()
}

/// The rows, to take more in or to let them go. A panic among them, as of a query that looked at them, may have cost
/// some that are acknowledged: the log has them, and the next start reads it.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(|poisoned| stop_the_process(&poisoned))
}

/// Brings back the rows that a panic took. They are acknowledged: without them nothing may go on.
fn read_again(memory: &mut Memory, log: impl Iterator<Item = Result<Item, WalError>>, broken: &BTreeSet<u64>) {
    match memory.read_again(log, broken) {
        Ok(None) => {}
        Ok(Some(Panicked(reason))) => stop_the_process(&format!("a request panics that did not before: {reason}")),
        Err(error) => stop_the_process(&error),
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    /// Takes one record of the log into memory again. One over which that panics is set aside: `false`.
    pub(crate) fn replay(&mut self, signal: Signal, record: &Record) -> Result<bool, WalError> {
        let mut memory = lock(&self.memory);
        let read = memory.read(signal, &record.body, Receipt::of(record));
        if let Err(Panicked(reason)) = &read {
            let file = self.log.set_aside(record.seq, &record.body, signal.ending())?;
            tracing::error!(
                shard = self.log.shard(), record = record.seq, file = %file.display(), reason,
                "an acknowledged request cannot be read: it panics; its bytes are set aside, and no table has them. This is \
                 a fault of Tracewell, please report it; a version without it takes the file by `tracewell import`"
            );
            self.broken.insert(record.seq);
            // Records up to this one.
            let before = self.log.reader(memory.rows_after()).take_while(|item| match item {
                Ok(Item::Record(before)) => before.seq < record.seq,
                _ => true,
            });
            read_again(&mut memory, before, &self.broken);
        }
        let bytes = memory.active_bytes();
        drop(memory);
        if bytes >= self.rule.bytes {
            self.seal();
            // The log may be larger than memory.
            self.pace.wait(self.lock(), IN_STEP, |_| self.sealer.is_closed());
        }
        self.publish();
        Ok(read.is_ok())
    }

    /// Serves until told to stop. A log that fails for good ends the process: what was written may be lost, and going
    /// on would acknowledge it.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        let mut sealed_at = Instant::now();
        let mut stopping = false;
        while !stopping {
            let wait = self.rule.interval.saturating_sub(sealed_at.elapsed());
            let first = match messages.recv_timeout(wait) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut seal_now = false;
            let mut next = first;
            while let Some(message) = next {
                match message {
                    Message::Submit(submission) => {
                        bytes += submission.body.len();
                        group.push(submission);
                    }
                    Message::Seal => seal_now = true,
                    Message::Stop => {
                        stopping = true;
                        break;
                    }
                }
                if group.len() >= GROUP_REQUESTS || bytes >= GROUP_BYTES {
                    break;
                }
                next = messages.try_recv().ok();
            }
            if !group.is_empty() {
                self.group(group);
            }
            let (full, waiting) = {
                let memory = self.lock();
                (memory.active_bytes() >= self.rule.bytes, memory.waiting())
            };
            let due = sealed_at.elapsed() >= self.rule.interval;
            if full || seal_now || stopping || (due && waiting < IN_STEP) {
                self.seal();
                self.publish();
                if !stopping {
                    // This is what slows ingest to the store's pace. While the store is in trouble memory fills instead,
                    // and requests are refused when it is full: they would wait here for as long as the trouble lasts.
                    let vain = |pace: &Pace| pace.in_trouble() || self.sealer.is_closed();
                    self.pace.wait(self.lock(), waiting.max(IN_STEP), vain);
                }
                sealed_at = Instant::now();
            } else if due {
                // What waits for the store goes on growing: many small commits would come after the trouble.
                sealed_at = Instant::now();
            }
            self.release();
            self.publish();
        }
        self.log.remove_spares();
    }

    /// Logs, reads, syncs and answers a group of requests.
    #[expect(clippy::vec_box, reason = "the boxes come from the queue, which they keep small")]
    fn group(&mut self, group: Vec<Box<Submission>>) {
        let waiting: Vec<Waiting> = group.into_iter().map(|submission| self.take_in(submission)).collect();
        if waiting.iter().any(|waiting| waiting.outcome.is_ok())
            && let Err(error) = self.log.sync()
        {
            stop_the_process(&error);
        }
        for Waiting { submission, outcome } in waiting {
            // Whoever went away meanwhile will send again and be recognised.
            let _ = submission.reply.send(outcome);
        }
    }

    fn take_in(&mut self, submission: Box<Submission>) -> Waiting {
        if let Some(answer) = self.recent.answer(submission.hash) {
            return Waiting { submission, outcome: Ok(answer) };
        }
        let entry = Entry {
            received_at: submission.received_at,
            kind: submission.signal as u8,
            flags: 0,
            tenant: &submission.tenant,
            hash: submission.hash,
            body: &submission.body,
        };
        let appended = self.append(&entry);
        let outcome = match appended {
            Ok(seq) => {
                let receipt = Receipt { seq, received_at: submission.received_at, tenant: &submission.tenant };
                self.read(&submission, receipt)
            }
            Err(error) if error.is_fatal() => stop_the_process(&error),
            Err(error) => {
                tracing::error!(%error, "the write-ahead log takes nothing more");
                Err(Refused::Unavailable(error.to_string()))
            }
        };
        Waiting { submission, outcome }
    }

    /// Reads a request that is in the log and not synced. One over which that panics leaves no trace.
    fn read(&mut self, submission: &Submission, receipt: Receipt<'_>) -> Result<Outcome, Refused> {
        let mut memory = lock(&self.memory);
        match memory.read(submission.signal, &submission.body, receipt) {
            Ok(outcome) => {
                self.recent.insert(submission.hash, submission.received_at);
                self.recent.answered(submission.hash, &outcome);
                Ok(outcome)
            }
            Err(Panicked(reason)) => {
                tracing::error!(reason, "a request is refused: reading it panics; this is a fault of Tracewell");
                if let Err(error) = self.log.take_back() {
                    stop_the_process(&error);
                }
                let log = self.log.reader(memory.rows_after());
                read_again(&mut memory, log, &self.broken);
                Err(Refused::Broken(reason))
            }
        }
    }

    fn append(&mut self, entry: &Entry<'_>) -> Result<u64, WalError> {
        if self.log.should_rotate() {
            self.log.rotate(&self.recent.to_preamble())?;
        }
        self.log.append(entry)
    }

    fn seal(&mut self) {
        let generation = self.lock().close();
        if let Some(generation) = generation {
            // It ends with the shard, or with the whole runtime: then the log keeps the rows.
            let _ = self.sealer.send(generation);
        }
    }

    /// Gives back the segments whose records are all committed.
    fn release(&mut self) {
        let committed = self.pace.committed();
        if committed > self.released {
            self.released = committed;
            if let Err(error) = self.log.release_through(committed) {
                if error.is_fatal() {
                    stop_the_process(&error);
                }
                tracing::warn!(%error, "a released segment of the write-ahead log stays on disk");
            }
        }
    }

    fn publish(&self) {
        self.bytes.store(self.lock().bytes(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
