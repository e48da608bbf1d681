//! A generation of rows to files, and the files into the tables.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use futures::FutureExt;
use tracewell_lake::fresh::beyond;
use tracewell_lake::parquet::{Effort, Encoded, encode_sorted};
use tracewell_lake::{Lake, LakeError, NewFile, Transaction};
use tracewell_model::schema::{FACT_TABLES, SPANS, Table};
use tracewell_model::time::Day;

use crate::encoder::Encoder;
use crate::generation::{Generation, transaction_id};
use crate::pace::Pace;

/// A file that waited so long for its commit is written again: some time later vacuum takes it for left over.
const STALE_MS: i64 = 20 * 60 * 1_000;
/// First and last pause between tries while the store is down.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What takes the generations of one log to the tables.
pub(crate) struct Sealer {
    pub(crate) lake: Lake,
    /// The log's [transaction id](transaction_id).
    pub(crate) app: Arc<str>,
    pub(crate) encoder: Encoder,
    pub(crate) pace: Arc<Pace>,
    pub(crate) clock: fn() -> i64,
}

impl Sealer {
    /// Writes and commits a generation, trying again until the store takes it.
    pub(crate) async fn seal(&self, generation: &Generation) {
        for table in FACT_TABLES {
            let mut pause = RETRY.0;
            let mut written = Written::default();
            while let Err(error) = self.try_table(table, generation, &mut written).await {
                self.pace.failed();
                tracing::warn!(table = table.name, error, retry_in = ?pause, "cannot commit; the write-ahead log keeps the rows");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
            self.pace.succeeded();
        }
    }

    /// A try that panics is one that failed: the rows stay, and those who look see that nothing is committed.
    async fn try_table(
        &self,
        table: &'static Table,
        generation: &Generation,
        written: &mut Written,
    ) -> Result<(), String> {
        match AssertUnwindSafe(self.seal_table(table, generation, written)).catch_unwind().await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("it panicked; this is a fault of Tracewell, please report it".into()),
        }
    }

    /// Writes and commits rows that no log holds, once.
    ///
    /// # Errors
    /// When the store fails; what is committed already is recognised when it is tried again.
    pub(crate) async fn seal_once(&self, generation: &Generation) -> Result<(), LakeError> {
        for table in FACT_TABLES {
            if let Some(open) = self.lake.table(table.name) {
                open.watermark(&transaction_id(&self.app, table.name)).await?;
            }
            self.seal_table(table, generation, &mut Written::default()).await?;
        }
        Ok(())
    }

    async fn seal_table(
        &self,
        table: &'static Table,
        generation: &Generation,
        written: &mut Written,
    ) -> Result<(), LakeError> {
        let Some(open) = self.lake.table(table.name) else { return Ok(()) };
        let now_ms = (self.clock)() / 1_000_000;
        if written.values().flatten().any(|file| now_ms - file.written_ms() > STALE_MS) {
            written.clear();
        }
        // After a crash a table may be ahead of `spans`: what it holds already is left out.
        let app = transaction_id(&self.app, table.name);
        let reached = open.snapshot().watermarks.get(app.as_ref()).copied().unwrap_or(i64::MIN);
        let mut days: BTreeMap<Day, Vec<RecordBatch>> = BTreeMap::new();
        for (_, day, rows) in generation.rows.iter().filter(|(name, ..)| *name == table.name) {
            days.entry(*day).or_default().push(rows.clone());
        }
        // One day after the other: the files of a thousand days are not in memory at once.
        for (day, rows) in days {
            if let Entry::Vacant(place) = written.entry(day) {
                let file = match self.encoder.run(move || encode_beyond(table, &rows, reached)).await? {
                    Some(encoded) => Some(self.pace.asks(open.put(day, encoded, now_ms, true)).await?),
                    None => None,
                };
                place.insert(file);
            }
        }
        let files: Vec<NewFile> = written.values().flatten().cloned().collect();
        // `spans` always commits: its transaction is what frees the write-ahead log.
        if !files.is_empty() || table.name == SPANS.name {
            let transaction = Transaction { app: app.to_string(), version: generation.seq as i64 };
            self.pace.asks(open.commit(files, &transaction, now_ms)).await?;
        }
        Ok(())
    }
}

/// The days of a table whose files are in the store, and the file, where it has rows: what is tried again goes on
/// from there.
type Written = BTreeMap<Day, Option<NewFile>>;

/// The rows beyond `reached` as one sorted file; `None` when there are none.
fn encode_beyond(table: &'static Table, rows: &[RecordBatch], reached: i64) -> Result<Option<Encoded>, LakeError> {
    let rows = rows.iter().map(|rows| beyond(rows, reached)).collect::<Result<Vec<_>, ArrowError>>()?;
    if rows.iter().all(|rows| rows.num_rows() == 0) {
        return Ok(None);
    }
    encode_sorted(table, &rows, Effort::Fresh).map(Some)
}
