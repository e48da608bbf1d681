//! Why ingest does not start.

use tracewell_lake::LakeError;
use tracewell_wal::WalError;

/// Why ingest did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The write-ahead log.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The tables.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The tables are ahead of the log.
    #[error(
        "shard {shard}: the table `spans` holds this log's records up to {committed}, but the log ends at {logged}; \
         the log was lost or is an old copy, so start with an empty --wal folder"
    )]
    LogBehindTable {
        /// The shard.
        shard: usize,
        /// The transaction version in the table.
        committed: i64,
        /// The last sequence number in the log.
        logged: u64,
    },
    /// A record of the log that this version fails over.
    #[error(
        "shard {shard}: reading record {seq} of the write-ahead log panics ({reason}); a server sets it aside as it starts"
    )]
    Unreadable {
        /// The shard.
        shard: usize,
        /// The record.
        seq: u64,
        /// What it said.
        reason: String,
    },
    /// The system refused a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}
