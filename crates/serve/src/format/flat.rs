//! Nested columns as JSON text, for formats that know only scalars.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;

/// `batch` with each list, map and struct as its JSON text.
pub(super) fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(json_text(field, column)?);
        } else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn json_text(field: &Field, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let mut text = StringBuilder::new();
    let one = Arc::new(Schema::new(vec![Field::new("v", field.data_type().clone(), true)]));
    for row in 0..column.len() {
        if column.is_null(row) {
            text.append_null();
            continue;
        }
        let batch = RecordBatch::try_new(Arc::clone(&one), vec![column.slice(row, 1)])?;
        let mut writer = LineDelimitedWriter::new(Vec::new());
        writer.write(&batch)?;
        writer.finish()?;
        let line = String::from_utf8(writer.into_inner()).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        // `{"v":…}` and a line break stand around the value.
        text.append_value(
            line.trim_end().strip_prefix("{\"v\":").and_then(|rest| rest.strip_suffix('}')).unwrap_or(&line),
        );
    }
    Ok(Arc::new(text.finish()))
}
