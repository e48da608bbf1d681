//! Rows to standard output, in the format asked for.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::writer::{JsonArray, WriterBuilder};
use clap::ValueEnum;

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For reading.
    Table,
    /// An array of objects.
    Json,
    /// With a header line; nested values as JSON.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

/// Writes all rows.
pub(crate) fn write(
    out: &mut dyn Write,
    format: Format,
    schema: &SchemaRef,
    rows: &[RecordBatch],
) -> anyhow::Result<()> {
    match format {
        Format::Table => {
            let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
            let with_header = [RecordBatch::new_empty(Arc::clone(schema))];
            let rows = if rows.is_empty() { &with_header } else { rows };
            writeln!(out, "{}", arrow::util::pretty::pretty_format_batches(rows)?)?;
            writeln!(out, "{count} row{}", if count == 1 { "" } else { "s" })?;
        }
        Format::Json => {
            let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut *out);
            for batch in rows {
                writer.write(batch)?;
            }
            writer.finish()?;
            writeln!(out)?;
        }
        Format::Csv => {
            let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut *out);
            let empty = RecordBatch::new_empty(Arc::clone(schema));
            let rows = if rows.is_empty() { std::slice::from_ref(&empty) } else { rows };
            for batch in rows {
                writer.write(&flat(batch)?)?;
            }
        }
        Format::Arrow => {
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut *out, schema)?;
            for batch in rows {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
        Format::Parquet => {
            let mut bytes = Vec::new();
            let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, Arc::clone(schema), None)?;
            for batch in rows {
                writer.write(batch)?;
            }
            writer.close()?;
            out.write_all(&bytes)?;
        }
    }
    Ok(out.flush()?)
}

/// Nested columns as JSON text, for formats that know only scalars.
fn flat(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
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
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn json_text(field: &Field, column: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let mut text = StringBuilder::new();
    let one = Arc::new(Schema::new(vec![Field::new("v", field.data_type().clone(), true)]));
    for row in 0..column.len() {
        if column.is_null(row) {
            text.append_null();
            continue;
        }
        let batch = RecordBatch::try_new(Arc::clone(&one), vec![column.slice(row, 1)])?;
        let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
        writer.write(&batch)?;
        writer.finish()?;
        let line = String::from_utf8(writer.into_inner())?;
        // `{"v":…}` and a line break stand around the value.
        text.append_value(
            line.trim_end().strip_prefix("{\"v\":").and_then(|rest| rest.strip_suffix('}')).unwrap_or(&line),
        );
    }
    Ok(Arc::new(text.finish()))
}
