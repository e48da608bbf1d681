//! What a log holds that the tables do not: read again at a server's start, or beside no server.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracewell_lake::{Fresh, FreshChunk, Lake, LakeError};
use tracewell_model::schema::{FACT_TABLES, SPANS};
use tracewell_otlp::Limits;
use tracewell_wal::{Item, WalDir, WalError};

use crate::error::IngestError;
use crate::generation::transaction_id;
use crate::memory::{Memory, Panicked};
use crate::rows::{Receipt, Rows};
use crate::shard::Shard;
use crate::signal::Signal;

/// What was found in the log at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Requests read again.
    pub requests: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Requests that damage took before their rows were in the tables, as far as the log still tells.
    pub lost: u64,
    /// Requests whose reading panicked, and whose bytes are in the folder `quarantine` of the log now.
    pub set_aside: u64,
}

/// Reads a shard's log: requests beyond `from` into rows, all of them into the memory of recent requests.
pub(crate) fn replay(shard: &mut Shard, reader: tracewell_wal::Reader, from: u64) -> Result<Recovered, WalError> {
    let mut recovered = Recovered::default();
    for item in reader {
        match item? {
            Item::Preamble(bytes) => shard.recent.read_preamble(&bytes),
            Item::Record(record) => {
                shard.recent.insert(record.hash, record.received_at);
                if let (true, Some(signal)) = (record.seq > from, Signal::from_kind(record.kind)) {
                    recovered.requests += 1;
                    recovered.bytes += record.body.len() as u64;
                    recovered.set_aside += u64::from(!shard.replay(signal, &record)?);
                }
            }
            Item::Lost(lost) => recovered.lost += lost.end.saturating_sub(lost.start.max(from + 1)),
        }
    }
    if recovered.lost > 0 {
        let (shard, lost) = (shard.log.shard(), recovered.lost);
        tracing::error!(shard, "acknowledged requests are lost to damage of the write-ahead log: {lost}");
    }
    Ok(recovered)
}

/// The rows of a log that no table has yet, read without a server.
#[derive(Debug)]
pub struct ReplayedLog(Vec<Mutex<Memory>>);

impl Fresh for ReplayedLog {
    fn chunks(&self, table: &str) -> Vec<FreshChunk> {
        let lock = |memory: &Mutex<Memory>| memory.lock().unwrap_or_else(PoisonError::into_inner).chunks(table);
        self.0.iter().flat_map(lock).collect()
    }
}

/// Reads the log in `folder` as far as the tables of `lake` do not hold it, with `team_keys` as in
/// [`Config`](crate::Config). Nothing is changed.
///
/// # Errors
/// When the log is damaged, or the store cannot be reached.
pub async fn read_log(folder: &Path, lake: &Lake, team_keys: &[String]) -> Result<ReplayedLog, IngestError> {
    let wal = WalDir::open_read_only(folder)?;
    let mut shards = Vec::new();
    for &number in wal.shards() {
        let app: Arc<str> = format!("{}/{number}", wal.id()).into();
        let committed = committed(lake, &app).await?;
        let team_keys = team_keys.to_vec();
        let no_rows = move || Rows::new(Limits::default()).with_team_keys(&team_keys);
        let mut rows = Memory::new(app, Box::new(no_rows), committed as u64);
        for item in wal.reader(number, committed as u64)? {
            if let Item::Record(record) = item?
                && let Some(signal) = Signal::from_kind(record.kind)
            {
                let unreadable = |Panicked(reason)| IngestError::Unreadable { shard: number, seq: record.seq, reason };
                rows.read(signal, &record.body, Receipt::of(&record)).map_err(unreadable)?;
            }
        }
        shards.push(Mutex::new(rows));
    }
    Ok(ReplayedLog(shards))
}

/// Up to which record `spans` holds the log of `app`. From here on the snapshots of every table know `app`.
pub(crate) async fn committed(lake: &Lake, app: &str) -> Result<i64, LakeError> {
    let mut committed = 0;
    for table in FACT_TABLES {
        if let Some(open) = lake.table(table.name) {
            let reached = open.watermark(&transaction_id(app, table.name)).await?;
            if table.name == SPANS.name {
                committed = reached.unwrap_or(0);
            }
        }
    }
    Ok(committed)
}
