//! Rows to standard output, in the format asked for.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;
use tracewell_serve::format::Format as Encoding;

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For reading.
    Table,
    /// An array of objects.
    Json,
    /// An object a line.
    Ndjson,
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
        Format::Json => encode(out, Encoding::Json, schema, rows).and_then(|()| Ok(writeln!(out)?))?,
        Format::Ndjson => encode(out, Encoding::Ndjson, schema, rows)?,
        Format::Csv => encode(out, Encoding::Csv, schema, rows)?,
        Format::Arrow => encode(out, Encoding::Arrow, schema, rows)?,
        Format::Parquet => encode(out, Encoding::Parquet, schema, rows)?,
    }
    Ok(out.flush()?)
}

fn encode(out: &mut dyn Write, encoding: Encoding, schema: &SchemaRef, rows: &[RecordBatch]) -> anyhow::Result<()> {
    let mut encoder = encoding.encoder(schema)?;
    for batch in rows {
        out.write_all(&encoder.batch(batch)?)?;
    }
    Ok(out.write_all(&encoder.end()?)?)
}
