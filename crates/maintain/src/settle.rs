//! Settling: the dates of a derived table whose facts changed are worked out again and replaced whole.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use tracewell_lake::parquet::{Effort, Encoded, Writer};
use tracewell_lake::{DataFile, FactTable, Lake, NoFresh, Replaced, Transaction};
use tracewell_model::schema::{LOGS, SPANS, Table};
use tracewell_model::time::{Day, NANOS_PER_DAY};
use tracewell_query::ReadView;
use tracewell_query::settled;

use crate::MaintainError;

/// Rows to start a file's filters by.
const MANY_ROWS: usize = 1 << 20;

/// The transaction app under which dates of `table` are replaced, whoever settles.
fn fence(table: &str) -> String {
    format!("settle:{table}")
}

/// Settles derived tables.
#[derive(Debug)]
pub struct Settler {
    lake: Lake,
    runtime: Arc<RuntimeEnv>,
    clock: fn() -> i64,
}

/// What became of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The date.
    pub day: Day,
    /// Its rows in the derived table.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Settler {
    /// A settler of the derived tables of `lake` that works within `runtime`, with `clock` in nanoseconds since 1970.
    #[must_use]
    pub fn new(lake: &Lake, runtime: Arc<RuntimeEnv>, clock: fn() -> i64) -> Self {
        Self { lake: lake.clone(), runtime, clock }
    }

    /// The dates of `table` that are not settled; with `quiet` only those that are over, and of which nothing has come
    /// for so long.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unsettled(&self, table: &FactTable, quiet: Option<Duration>) -> Result<BTreeSet<Day>, MaintainError> {
        let view = look(&self.lake, table).await?;
        let settled = view.settled(table.table());
        let Some(quiet) = quiet else { return Ok(&settled.dirty | &settled.stale) };
        let now = (self.clock)();
        let today = Day::of(now);
        let written_since = now / 1_000_000 - i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
        let facts = [&SPANS, &LOGS].into_iter().filter_map(|table| self.lake.table(table.name));
        let restless: BTreeSet<Day> = facts
            .flat_map(|facts| facts.snapshot().files.clone())
            .filter(|file| file.modified > written_since)
            .map(|file| file.day)
            .collect();
        let rests = |day: &Day| !restless.contains(day) && !restless.contains(&Day(day.0 - 1));
        // The first runs of a day may belong to the day before; what comes later shows once that day is over too.
        let hour_into_today = now - i64::from(today.0) * NANOS_PER_DAY > NANOS_PER_DAY / 24;
        let dirty = settled.dirty.iter().filter(|day| **day < today && (day.0 + 1 < today.0 || hour_into_today));
        let stale = settled.stale.iter().filter(|day| day.0 + 1 < today.0 && !restless.contains(&Day(day.0 + 1)));
        Ok(dirty.chain(stale).filter(|day| rests(day)).copied().collect())
    }

    /// Works out `day` of `table` and puts it in the place of what is there; `None` when someone else was first.
    ///
    /// # Errors
    /// When the store fails or the views cannot be computed. The table is as before then.
    pub async fn settle(&self, table: &FactTable, day: Day) -> Result<Option<Settled>, MaintainError> {
        let app = fence(table.table().name);
        let reached = table.watermark(&app).await?.unwrap_or(0);
        let view = look(&self.lake, table).await?;
        let before: Vec<Arc<DataFile>> =
            table.snapshot().files.iter().filter(|file| file.day == day).cloned().collect();
        let facts = view.sources().facts(day).to_string();
        let file = self.work_out(table.table(), day, view).await?;
        let done = Settled { day, rows: file.rows as u64, bytes: file.bytes.len() as u64 };
        let now_ms = (self.clock)() / 1_000_000;
        let added = table.put_marked(day, &facts, file, now_ms, true).await?;
        let transaction = Transaction { app, version: reached + 1 };
        match table.replace(vec![added], &before, true, &transaction, now_ms).await? {
            Replaced::Landed(_) => Ok(Some(done)),
            Replaced::Conflict => Ok(None),
        }
    }

    /// The rows of `day` of `table` as a file.
    async fn work_out(&self, table: &'static Table, day: Day, view: ReadView) -> Result<Encoded, MaintainError> {
        let mut rows = settled::rows(table, day, view, &self.lake, &self.runtime).await?;
        let mut writer = Writer::new(table, &rows.schema(), MANY_ROWS, Effort::Compacted)?;
        while let Some(batch) = rows.try_next().await? {
            writer.write(&batch)?;
        }
        Ok(writer.finish()?)
    }
}

/// A derived table and its facts as they are in the store.
pub(crate) async fn look(lake: &Lake, table: &FactTable) -> Result<ReadView, MaintainError> {
    table.refresh().await?;
    for facts in [&SPANS, &LOGS] {
        if let Some(facts) = lake.table(facts.name) {
            facts.refresh().await?;
        }
    }
    Ok(ReadView::take(lake, &NoFresh)?)
}

/// The tables that are settled, in order.
pub fn derived(lake: &Lake) -> impl Iterator<Item = Arc<FactTable>> {
    let open = |table: &&'static Table| lake.table(table.name).cloned();
    tracewell_model::schema::DERIVED_TABLES.iter().filter_map(open)
}
