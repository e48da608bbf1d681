//! Rows that are acknowledged and not yet in a committed file.

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use tracewell_model::time::Day;

use crate::Snapshot;

/// A run of rows of one table that one writer will commit as a whole, but for those that are in the table already.
#[derive(Clone, Debug)]
pub struct FreshChunk {
    /// The writer's transaction app id.
    pub app: std::sync::Arc<str>,
    /// The transaction version that will commit these rows. A snapshot that has reached it holds them already.
    pub seq: i64,
    /// The rows of each day, in the table's file schema (text may be dictionary-encoded).
    pub days: Vec<(Day, RecordBatch)>,
}

impl FreshChunk {
    /// The rows that are not in `snapshot`; `None` when all are.
    ///
    /// After a crash between the commits of one seal a table holds the first of the rows that are read again from the
    /// log, so a chunk may be in a snapshot in part.
    ///
    /// # Errors
    /// When the rows have no `seq`.
    pub fn beyond(mut self, snapshot: &Snapshot) -> Result<Option<Self>, ArrowError> {
        let reached = snapshot.watermarks.get(self.app.as_ref()).copied().unwrap_or(i64::MIN);
        if reached >= self.seq {
            return Ok(None);
        }
        for (_, rows) in &mut self.days {
            *rows = beyond(rows, reached)?;
        }
        self.days.retain(|(_, rows)| rows.num_rows() > 0);
        Ok((!self.days.is_empty()).then_some(self))
    }
}

/// The rows whose sequence number is beyond `reached`.
///
/// # Errors
/// When the rows have no `seq`.
pub fn beyond(rows: &RecordBatch, reached: i64) -> Result<RecordBatch, ArrowError> {
    let sequence = rows.column(rows.schema_ref().index_of("seq")?).as_primitive::<Int64Type>();
    if arrow::compute::min(sequence).is_none_or(|least| least > reached) {
        return Ok(rows.clone());
    }
    let keep: BooleanArray = sequence.iter().map(|seq| seq.map(|seq| seq > reached)).collect();
    filter_record_batch(rows, &keep)
}

/// Whoever holds rows that no snapshot has yet.
///
/// A reader must ask for the fresh rows *before* it takes the snapshot, and then drop what the snapshot's watermark
/// for `app` has reached ([`FreshChunk::beyond`]). In that order no row is missed or seen twice: rows that leave the
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
