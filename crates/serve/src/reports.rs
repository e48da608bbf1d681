//! Reports over whatever answers SQL.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use tracewell_report::Row;

/// Answers as reports want them: rows whose decimals are text, so that they stay exact.
#[derive(Debug)]
pub struct Answers<A>(pub A);

impl<A: tracewell_runs::Ask> tracewell_report::Ask for Answers<A> {
    async fn rows(&self, sql: &str) -> Result<Vec<Row>, String> {
        let batches = self.0.ask(sql).await.map_err(|error| error.to_string())?;
        let exact = batches.iter().map(with_decimals_as_text).collect::<Result<Vec<_>, _>>();
        let exact = exact.map_err(|error| error.to_string())?;
        let mut lines = LineDelimitedWriter::new(Vec::new());
        lines.write_batches(&exact.iter().collect::<Vec<_>>()).map_err(|error| error.to_string())?;
        lines.finish().map_err(|error| error.to_string())?;
        let rows = serde_json::Deserializer::from_slice(&lines.into_inner()).into_iter().collect::<Result<_, _>>();
        rows.map_err(|error| error.to_string())
    }
}

fn with_decimals_as_text(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column: ArrayRef = match field.data_type() {
            DataType::Decimal128(..) | DataType::Decimal256(..) => cast(column, &DataType::Utf8)?,
            _ => column.clone(),
        };
        Ok((field.name(), column))
    });
    RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>, ArrowError>>()?)
}
