//! A generation of rows to files, and the files into the tables.

use std::sync::Arc;
use std::time::Duration;

use arrow::error::ArrowError;
use tracewell_lake::fresh::beyond;
use tracewell_lake::parquet::{Effort, Encoded, encode_sorted};
use tracewell_lake::{Lake, LakeError, NewFile, Transaction};
use tracewell_model::schema::{FACT_TABLES, SPANS, Table};
use tracewell_model::time::Day;

use crate::encoder::Encoder;
use crate::rows::TakenRows;

/// The rows of a shard between two seals.
#[derive(Debug)]
pub(crate) struct Generation {
    /// The sequence number of its last record: its transaction version.
    pub(crate) seq: u64,
    /// Its rows, in the batches they were taken out in.
    pub(crate) rows: TakenRows,
    /// About how much memory they take.
    pub(crate) bytes: usize,
}

/// A file that waited so long for its commit is written again: some time later vacuum takes it for left over.
const STALE_MS: i64 = 20 * 60 * 1_000;
/// First and last pause between tries while the store is down.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Writes and commits a generation, trying again until the store takes it.
pub(crate) async fn seal(
    lake: &Lake,
    app: &Arc<str>,
    generation: &Arc<Generation>,
    encoder: &Encoder,
    clock: fn() -> i64,
) {
    for table in FACT_TABLES {
        let mut pause = RETRY.0;
        let mut written: Option<Vec<NewFile>> = None;
        loop {
            let outcome = seal_table(lake, table, app, generation, &mut written, encoder, clock).await;
            match outcome {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(table = table.name, %error, retry_in = ?pause, "cannot commit; the write-ahead log keeps the rows");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }
}

/// Writes and commits rows that no log holds, once.
///
/// # Errors
/// When the store fails; what is committed already is recognised when it is tried again.
pub(crate) async fn seal_once(
    lake: &Lake,
    app: &Arc<str>,
    generation: &Arc<Generation>,
    encoder: &Encoder,
    clock: fn() -> i64,
) -> Result<(), LakeError> {
    for table in FACT_TABLES {
        if let Some(open) = lake.table(table.name) {
            open.watermark(app).await?;
        }
        seal_table(lake, table, app, generation, &mut None, encoder, clock).await?;
    }
    Ok(())
}

async fn seal_table(
    lake: &Lake,
    table: &'static Table,
    app: &Arc<str>,
    generation: &Arc<Generation>,
    written: &mut Option<Vec<NewFile>>,
    encoder: &Encoder,
    clock: fn() -> i64,
) -> Result<(), LakeError> {
    let Some(open) = lake.table(table.name) else { return Ok(()) };
    let now_ms = clock() / 1_000_000;
    written.take_if(|files| files.iter().any(|file| now_ms - file.written_ms() > STALE_MS));
    let files = match written {
        Some(files) => files.clone(),
        None => {
            // After a crash a table may be ahead of `spans`: what it holds already is left out.
            let reached = open.snapshot().watermarks.get(app.as_ref()).copied().unwrap_or(i64::MIN);
            let source = Arc::clone(generation);
            let encoded = encoder.run(move || encode_table(table, &source, reached)).await?;
            let mut files = Vec::with_capacity(encoded.len());
            for (day, file) in encoded {
                files.push(open.put(day, file, now_ms, true).await?);
            }
            *written = Some(files.clone());
            files
        }
    };
    // `spans` always commits: its transaction is what frees the write-ahead log.
    if !files.is_empty() || table.name == SPANS.name {
        let transaction = Transaction { app: app.to_string(), version: generation.seq as i64 };
        open.commit(files, &transaction, now_ms).await?;
    }
    Ok(())
}

/// One sorted file per day of a table.
fn encode_table(
    table: &'static Table,
    generation: &Generation,
    reached: i64,
) -> Result<Vec<(Day, Encoded)>, LakeError> {
    let mut days: Vec<Day> =
        generation.rows.iter().filter(|(name, ..)| *name == table.name).map(|(_, day, _)| *day).collect();
    days.sort_unstable();
    days.dedup();
    let mut files = Vec::with_capacity(days.len());
    for day in days {
        let batches = generation
            .rows
            .iter()
            .filter(|(name, of, _)| *name == table.name && *of == day)
            .map(|(.., rows)| beyond(rows, reached))
            .collect::<Result<Vec<_>, ArrowError>>()?;
        if batches.iter().any(|rows| rows.num_rows() > 0) {
            files.push((day, encode_sorted(table, &batches, Effort::Fresh)?));
        }
    }
    Ok(files)
}
