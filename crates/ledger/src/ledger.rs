//! Writing rows.

use serde::Serialize;
use tracewell_lake::{Commit, Lake, Transaction, kept};

use crate::LedgerError;

/// How often somebody else may be first before one gives up.
pub(crate) const MOST_TRIES: usize = 20;

/// What reads and writes what people keep.
#[derive(Debug)]
pub struct Ledger<A> {
    /// Whom to ask.
    pub source: A,
    lake: Lake,
    clock: fn() -> i64,
}

impl<A> Ledger<A> {
    /// `lake` holds the tables that people keep, `clock` tells the nanoseconds since 1970.
    pub fn new(source: A, lake: Lake, clock: fn() -> i64) -> Self {
        Self { source, lake, clock }
    }

    /// Nanoseconds since 1970.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }

    /// Adds rows as number `version` of `app`; answers whether nobody else was first.
    pub(crate) async fn append<T: Serialize>(
        &self,
        table: &str,
        rows: &[T],
        app: String,
        version: i64,
    ) -> Result<bool, LedgerError> {
        self.append_all(table, rows, &[Transaction { app, version }]).await
    }

    /// Adds rows as several numbers, all of them or none; answers whether nobody else was first with one.
    pub(crate) async fn append_all<T: Serialize>(
        &self,
        table: &str,
        rows: &[T],
        once: &[Transaction],
    ) -> Result<bool, LedgerError> {
        let table =
            self.lake.table(table).ok_or_else(|| LedgerError::NotFound(format!("there is no table `{table}`")))?;
        Ok(kept::keep(table, rows, once, self.now()).await? != Commit::AlreadyIn)
    }
}
