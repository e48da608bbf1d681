//! Retention: files whose rows are all past it leave the table.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::ScalarValue;
use tracewell_lake::{DataFile, FactTable, Replaced, Transaction};
use tracewell_model::schema::CONTENTS;
use tracewell_model::time::{Day, NANOS_PER_DAY};

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
    let app = fence(table.table().name);
    for _ in 0..TRIES {
        let reached = table.watermark(&app).await?.unwrap_or(0);
        let (gone, expired) = past(table, retention, now);
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

/// What [`expire`] would take out of the table as it is known.
#[must_use]
pub fn expiring(table: &FactTable, retention: Duration, now: i64) -> Expired {
    past(table, retention, now).1
}

fn past(table: &FactTable, retention: Duration, now: i64) -> (Vec<Arc<DataFile>>, Expired) {
    let limit = now.saturating_sub(i64::try_from(retention.as_nanos()).unwrap_or(i64::MAX));
    let (gone, left): (Vec<_>, Vec<_>) = table.snapshot().files.iter().cloned().partition(|file| is_past(file, limit));
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
    (i64::from(file.day.0) + 1).saturating_mul(NANOS_PER_DAY) <= limit && received <= limit
}
