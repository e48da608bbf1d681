//! Retention: files whose rows are all past it leave the table.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::ScalarValue;
use tracewell_lake::{DataFile, FactTable, Lake, Replaced, Transaction};
use tracewell_model::schema::CONTENTS;
use tracewell_model::time::{Day, NANOS_PER_DAY};

use crate::settle::look;
use crate::{MaintainError, fence};

/// How long the rows of each table stay, by its name; for ever where nothing is said.
pub type Retention = HashMap<&'static str, Duration>;

/// Other maintainers that an expiry lets go first before it gives up.
const TRIES: usize = 10;

/// What left a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// The days it left from.
    pub days: BTreeSet<Day>,
    /// Files.
    pub files: usize,
    /// Their bytes, which vacuum frees later.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// Files that stay.
    pub files_left: usize,
    /// Bytes that stay.
    pub bytes_left: u64,
}

/// Takes the files out of the table whose day and every receipt lie further back than `retention`, at the time
/// `now` in nanoseconds since 1970.
///
/// Before contents leave a day, `forget` is told the day: whoever remembers which contents it holds must forget
/// them *before* the commit, so that a content arriving between the two is stored again.
///
/// # Errors
/// When the store fails, or other maintainers are always first.
pub async fn expire(
    table: &FactTable,
    retention: Duration,
    now: i64,
    forget: &(dyn Fn(Day) + Sync),
) -> Result<Expired, MaintainError> {
    let limit = limit(retention, now);
    take_out(table, &|file| is_past(file, limit), now, forget).await
}

/// What [`expire`] would take out of the table as it is known.
#[must_use]
pub fn expiring(table: &FactTable, retention: Duration, now: i64) -> Expired {
    let limit = limit(retention, now);
    parted(table, |file| is_past(file, limit)).1
}

/// Takes the dates out of a derived table that lie further back than `retention` and that its facts do not tell any
/// more: they have left, and what was worked out from them says who and what they were about. A date that was worked
/// out from those that stay longer stays with them.
///
/// When a date was worked out says nothing of how old its rows are: it is worked out again when facts of the day
/// before leave.
///
/// # Errors
/// When the store fails, or other maintainers are always first.
pub async fn expire_derived(
    lake: &Lake,
    table: &FactTable,
    retention: Duration,
    now: i64,
) -> Result<Expired, MaintainError> {
    let limit = limit(retention, now);
    if !table.snapshot().files.iter().any(|file| has_ended(file.day, limit)) {
        return Ok(parted(table, |_| false).1);
    }
    let view = look(lake, table).await?;
    let mut told = view.sources().days();
    let settled: BTreeSet<Day> = view.settled(table.table()).files.iter().map(|file| file.day).collect();
    told.retain(|day| settled.contains(day));
    take_out(table, &|file| has_ended(file.day, limit) && !told.contains(&file.day), now, &|_| {}).await
}

/// Rows from before this are past `retention`.
fn limit(retention: Duration, now: i64) -> i64 {
    now.saturating_sub(i64::try_from(retention.as_nanos()).unwrap_or(i64::MAX))
}

async fn take_out(
    table: &FactTable,
    goes: &(dyn Fn(&DataFile) -> bool + Sync),
    now: i64,
    forget: &(dyn Fn(Day) + Sync),
) -> Result<Expired, MaintainError> {
    let app = fence(table.table().name);
    for _ in 0..TRIES {
        let reached = table.watermark(&app).await?.unwrap_or(0);
        let (gone, expired) = parted(table, goes);
        if gone.is_empty() {
            return Ok(expired);
        }
        if table.table().name == CONTENTS.name {
            expired.days.iter().copied().for_each(forget);
        }
        let transaction = Transaction { app: app.clone(), version: reached + 1 };
        if let Replaced::Landed(_) = table.replace(Vec::new(), &gone, true, &transaction, now / 1_000_000).await? {
            return Ok(expired);
        }
    }
    Err(MaintainError::Crowded { table: table.table().name })
}

/// The files that go, and what that takes and leaves.
fn parted(table: &FactTable, goes: impl Fn(&DataFile) -> bool) -> (Vec<Arc<DataFile>>, Expired) {
    let (gone, left): (Vec<_>, Vec<_>) = table.snapshot().files.iter().cloned().partition(|file| goes(file));
    let expired = Expired {
        days: gone.iter().map(|file| file.day).collect(),
        files: gone.len(),
        bytes: bytes(&gone),
        rows: gone.iter().map(|file| file.rows).sum(),
        files_left: left.len(),
        bytes_left: bytes(&left),
    };
    (gone, expired)
}

fn bytes(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.size).sum()
}

/// Whether the day is over and the last row was received before `limit`. Late rows of an old day stay as long as
/// others that came when they came. Without a bound, no row came after the file was written.
fn is_past(file: &DataFile, limit: i64) -> bool {
    let received = match file.bounds.get("received_at") {
        Some((_, ScalarValue::TimestampMicrosecond(Some(micros), _))) => micros.saturating_mul(1_000),
        _ => file.modified.saturating_mul(1_000_000),
    };
    has_ended(file.day, limit) && received <= limit
}

/// Whether the day was over at `limit`.
fn has_ended(day: Day, limit: i64) -> bool {
    (i64::from(day.0) + 1).saturating_mul(NANOS_PER_DAY) <= limit
}
