//! Rows that are not yet in a file, to DataFusion.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Date32Array, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use tracewell_model::time::Day;

use crate::plans::compact::compact;

/// Rows of one batch that go on together.
const BATCH: usize = 8192;

/// A plan of the `wanted` columns of `rows`, in the types of `schema`, spread over `partitions`; `None` without rows.
///
/// # Errors
/// When a wanted column does not exist.
pub(crate) fn plan(
    rows: &[(Day, RecordBatch)],
    schema: &SchemaRef,
    wanted: Option<&Vec<usize>>,
    partitions: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if rows.is_empty() {
        return Ok(None);
    }
    let wanted: Arc<[usize]> = match wanted {
        Some(wanted) => wanted.as_slice().into(),
        None => (0..schema.fields().len()).collect(),
    };
    let projected = Arc::new(schema.project(&wanted)?);
    let mut spread = vec![Vec::new(); partitions.clamp(1, rows.len())];
    let places = spread.len();
    for (position, rows) in rows.iter().enumerate() {
        spread[position % places].push(rows.clone());
    }
    let streams = spread.into_iter().map(|rows| {
        let (projected, wanted) = (Arc::clone(&projected), Arc::clone(&wanted));
        Arc::new(FreshRows { rows, projected, wanted }) as Arc<dyn PartitionStream>
    });
    let plan = StreamingTableExec::try_new(Arc::clone(&projected), streams.collect(), None, [], false, None)?;
    Ok(Some(Arc::new(plan)))
}

#[derive(Clone, Debug)]
struct FreshRows {
    rows: Vec<(Day, RecordBatch)>,
    projected: SchemaRef,
    wanted: Arc<[usize]>,
}

impl PartitionStream for FreshRows {
    fn schema(&self) -> &SchemaRef {
        &self.projected
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let this = self.clone();
        let slices = self.rows.clone().into_iter().flat_map(|(day, rows)| {
            (0..rows.num_rows())
                .step_by(BATCH)
                .map(move |from| (day, rows.slice(from, BATCH.min(rows.num_rows() - from))))
        });
        let batches = slices.map(move |(day, rows)| this.convert(day, &rows));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.projected), futures::stream::iter(batches)))
    }
}

impl FreshRows {
    /// A slice as the scan of a file would give it.
    fn convert(&self, day: Day, rows: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.wanted.iter().zip(self.projected.fields()).map(|(&position, field)| -> Result<ArrayRef> {
            match rows.columns().get(position) {
                Some(column) => Ok(cast(column, field.data_type())?),
                // The partition stands behind the file's columns.
                None => Ok(Arc::new(Date32Array::from_value(day.0, rows.num_rows()))),
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(compact(RecordBatch::try_new_with_options(Arc::clone(&self.projected), columns, &options)?))
    }
}
