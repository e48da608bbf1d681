//! The rows that a shard has in memory: those under construction, and the generations on their way to the tables.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracewell_lake::FreshChunk;
use tracewell_model::time::Day;
use tracewell_wal::{Item, Record, WalError};

use crate::generation::{Generation, transaction_id};
use crate::rows::{Outcome, Receipt, Rows, TakenRows};
use crate::signal::Signal;

/// Rows of about so many bytes become a batch: no column may hold 2 GiB of text.
const BATCH_BYTES: usize = 256 << 20;

/// Begins with no rows.
pub(crate) type NoRows = Box<dyn Fn() -> Rows + Send>;

/// Reading a request panicked, and this is what it said. What was read since rows were last taken out is gone from
/// memory with it, for a row may be there in half: [`Memory::read_again`] has to follow.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

/// Reads a request into rows.
pub(crate) type Read = fn(&mut Rows, Signal, &[u8], Receipt<'_>) -> Outcome;

/// What queries may look at: the rows a shard has in memory.
pub(crate) struct Memory {
    app: Arc<str>,
    rows: Rows,
    /// The record behind which `rows` begins.
    rows_after: u64,
    no_rows: NoRows,
    pub(crate) reading: Read,
    /// Rows of the active generation that were taken out for a query.
    taken: TakenRows,
    taken_bytes: usize,
    last_seq: u64,
    /// Generations being committed, oldest first.
    sealing: VecDeque<Arc<Generation>>,
}

impl Memory {
    /// No rows: everything up to `last_seq` is in the tables of the log `app`.
    pub(crate) fn new(app: Arc<str>, no_rows: NoRows, last_seq: u64) -> Self {
        Self {
            app,
            rows: no_rows(),
            rows_after: last_seq,
            no_rows,
            reading: read,
            taken: Vec::new(),
            taken_bytes: 0,
            last_seq,
            sealing: VecDeque::new(),
        }
    }

    fn take(&mut self) {
        if !self.rows.is_empty() {
            self.taken_bytes += self.rows.bytes();
            self.taken.extend(self.rows.take());
            self.rows_after = self.last_seq;
        }
    }

    /// The rows not yet closed, in bytes.
    pub(crate) fn active_bytes(&self) -> usize {
        self.rows.bytes() + self.taken_bytes
    }

    /// All rows, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.active_bytes() + self.sealing.iter().map(|generation| generation.bytes).sum::<usize>()
    }

    /// Closes the active generation.
    pub(crate) fn close(&mut self) -> Option<Arc<Generation>> {
        let bytes = self.active_bytes();
        self.take();
        if self.taken.is_empty() {
            return None;
        }
        self.taken_bytes = 0;
        let generation = Arc::new(Generation { seq: self.last_seq, rows: std::mem::take(&mut self.taken), bytes });
        self.sealing.push_back(Arc::clone(&generation));
        Some(generation)
    }

    /// Everything of `table` in memory.
    pub(crate) fn chunks(&mut self, table: &str) -> Vec<FreshChunk> {
        self.take();
        let app = transaction_id(&self.app, table);
        let of_table = |rows: &TakenRows| {
            rows.iter()
                .filter(|(name, ..)| *name == table)
                .map(|(_, day, rows)| (*day, rows.clone()))
                .collect::<Vec<_>>()
        };
        let sealing = self.sealing.iter().map(|generation| (generation.seq, of_table(&generation.rows)));
        sealing
            .chain([(self.last_seq, of_table(&self.taken))])
            .filter(|(_, days)| !days.is_empty())
            .map(|(seq, days)| FreshChunk { app: Arc::clone(&app), seq: seq as i64, days })
            .collect()
    }

    /// Forgets which contents a day holds.
    pub(crate) fn forget_contents(&mut self, day: Day) {
        self.rows.forget_contents(day);
    }

    /// Generations that are closed and not committed.
    pub(crate) fn waiting(&self) -> usize {
        self.sealing.len()
    }

    /// Forgets the generations that are committed.
    pub(crate) fn forget(&mut self, committed: u64) {
        self.sealing.retain(|generation| generation.seq > committed);
    }

    /// Reads a record into rows.
    pub(crate) fn read(&mut self, signal: Signal, body: &[u8], receipt: Receipt<'_>) -> Result<Outcome, Panicked> {
        let (reading, rows) = (self.reading, &mut self.rows);
        match catch_unwind(AssertUnwindSafe(|| reading(rows, signal, body, receipt))) {
            Ok(outcome) => {
                self.last_seq = receipt.seq;
                if self.rows.bytes() >= BATCH_BYTES {
                    self.take();
                }
                Ok(outcome)
            }
            Err(panic) => {
                self.rows = (self.no_rows)();
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                Err(Panicked(text.unwrap_or_else(|| "no reason was given".into())))
            }
        }
    }

    /// The record behind which the rows begin that a panic takes.
    pub(crate) fn rows_after(&self) -> u64 {
        self.rows_after
    }

    /// Reads records again after a panic, without those of these numbers. Another panic is given on.
    pub(crate) fn read_again(
        &mut self,
        log: impl Iterator<Item = Result<Item, WalError>>,
        without: &BTreeSet<u64>,
    ) -> Result<Option<Panicked>, WalError> {
        for item in log {
            if let Item::Record(record) = item?
                && !without.contains(&record.seq)
                && let Some(signal) = Signal::from_kind(record.kind)
                && let Err(panicked) = self.read(signal, &record.body, Receipt::of(&record))
            {
                return Ok(Some(panicked));
            }
        }
        // The next panic costs little: requests that panic one after the other do not read the same again.
        self.take();
        Ok(None)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("app", &self.app).field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

fn read(rows: &mut Rows, signal: Signal, body: &[u8], receipt: Receipt<'_>) -> Outcome {
    let outcome = match signal {
        Signal::Traces => rows.traces(body, receipt),
        Signal::Logs => rows.logs(body, receipt),
    };
    // The framing was checked before the request came here; a record that fails it holds nothing to read.
    outcome.unwrap_or_else(|error| Outcome { rejected: 1, reasons: vec![error.to_string()], ..Outcome::default() })
}

impl<'a> Receipt<'a> {
    /// Where a record of the log stands.
    pub(crate) fn of(record: &'a Record) -> Self {
        Self { seq: record.seq, received_at: record.received_at, tenant: &record.tenant }
    }
}
