//! Rows that are acknowledged and not yet in a committed file.

use arrow::array::RecordBatch;
use tracewell_model::time::Day;

/// A run of rows of one table that one writer will commit as a whole.
#[derive(Clone, Debug)]
pub struct FreshChunk {
    /// The writer's transaction app id.
    pub app: std::sync::Arc<str>,
    /// The transaction version that will commit these rows. A snapshot that has reached it holds them already.
    pub seq: i64,
    /// The rows of each day, in the table's file schema (text may be dictionary-encoded).
    pub days: Vec<(Day, RecordBatch)>,
}

/// Whoever holds rows that no snapshot has yet.
///
/// A reader must ask for the fresh rows *before* it takes the snapshot, and then drop the chunks whose `seq` the
/// snapshot's watermark for `app` has reached. In that order no row is missed or seen twice: rows that leave the
/// memory between the two steps are in the snapshot.
pub trait Fresh: Send + Sync + std::fmt::Debug {
    /// The fresh rows of `table`.
    fn chunks(&self, table: &str) -> Vec<FreshChunk>;
}

/// No fresh rows: for readers without a writer.
#[derive(Clone, Copy, Debug)]
pub struct NoFresh;

impl Fresh for NoFresh {
    fn chunks(&self, _table: &str) -> Vec<FreshChunk> {
        Vec::new()
    }
}
