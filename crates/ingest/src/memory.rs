//! The rows that a shard has in memory: those under construction, and the generations on their way to the tables.

use std::collections::VecDeque;
use std::sync::Arc;

use tracewell_lake::FreshChunk;
use tracewell_model::time::Day;

use crate::rows::{Outcome, Receipt, Rows, TakenRows};
use crate::seal::Generation;
use crate::shard::Signal;

/// What queries may look at: the rows a shard has in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    app: Arc<str>,
    rows: Rows,
    /// Rows of the active generation that were taken out for a query.
    taken: TakenRows,
    taken_bytes: usize,
    last_seq: u64,
    /// Generations being committed, oldest first.
    sealing: VecDeque<Arc<Generation>>,
}

impl Memory {
    /// No rows: everything up to `last_seq` is in the tables of the log `app`.
    pub(crate) fn new(app: Arc<str>, rows: Rows, last_seq: u64) -> Self {
        Self { app, rows, taken: Vec::new(), taken_bytes: 0, last_seq, sealing: VecDeque::new() }
    }

    fn take(&mut self) {
        if !self.rows.is_empty() {
            self.taken_bytes += self.rows.bytes();
            self.taken.extend(self.rows.take());
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
            .map(|(seq, days)| FreshChunk { app: Arc::clone(&self.app), seq: seq as i64, days })
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

    pub(crate) fn read(&mut self, signal: Signal, body: &[u8], receipt: Receipt<'_>) -> Outcome {
        let outcome = match signal {
            Signal::Traces => self.rows.traces(body, receipt),
            Signal::Logs => self.rows.logs(body, receipt),
        };
        self.last_seq = receipt.seq;
        // The framing was checked before the request came here; a record that fails it holds nothing to read.
        outcome.unwrap_or_else(|error| Outcome { rejected: 1, reasons: vec![error.to_string()], ..Outcome::default() })
    }
}
