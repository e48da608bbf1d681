//! Rows to Parquet: sorted, compressed, with just the indexes that prune.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::file::writer::SerializedFileWriter;
use tracewell_model::schema::Table;

use crate::LakeError;

mod order;
mod properties;
mod statistics;

use properties::{GROUP_ROWS, properties};
use statistics::Statistics;

/// How much work goes into making a file small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For files that compaction will read again soon.
    Fresh,
    /// For files that stay.
    Compacted,
}

/// One encoded file.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The file.
    pub bytes: Bytes,
    /// Its rows.
    pub rows: usize,
    /// The statistics for the Delta log, as JSON.
    pub statistics: String,
}

/// Sorts `rows` by the table's sort key.
///
/// # Errors
/// When the rows are not of the table's schema.
pub fn sort(table: &'static Table, rows: &RecordBatch) -> Result<RecordBatch, LakeError> {
    match order::order(table, std::slice::from_ref(rows))? {
        Some(order) => Ok(take_record_batch(rows, &UInt32Array::from(order))?),
        None => Ok(rows.clone()),
    }
}

/// Text of any layout as plain text.
fn plain(column: &ArrayRef) -> Result<ArrayRef, LakeError> {
    match column.data_type() {
        DataType::Dictionary(_, values) => Ok(arrow::compute::cast(column, values)?),
        DataType::Utf8View => Ok(arrow::compute::cast(column, &DataType::Utf8)?),
        _ => Ok(Arc::clone(column)),
    }
}

/// Encodes sorted rows as one Parquet file.
///
/// # Errors
/// When the rows are not of the table's schema.
pub fn encode(table: &'static Table, rows: &RecordBatch, effort: Effort) -> Result<Encoded, LakeError> {
    let mut writer = Writer::new(table, &rows.schema(), rows.num_rows(), effort)?;
    writer.write(rows)?;
    writer.finish()
}

/// Encodes rows in any order as one sorted Parquet file.
///
/// Columns are put in order and encoded one after the other: next to `batches` only one column is in memory twice.
///
/// # Errors
/// When the rows are not of the table's schema.
pub fn encode_sorted(table: &'static Table, batches: &[RecordBatch], effort: Effort) -> Result<Encoded, LakeError> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut statistics = Statistics::new(table);
    batches.iter().try_for_each(|batch| statistics.add(batch))?;
    let order = order::order(table, batches)?;
    let columns: Vec<_> = (0..table.columns.len() - 1).map(|at| order::Scattered::of(table, batches, at)).collect();
    let schema = Arc::new(Schema::new(columns.iter().map(order::Scattered::field).collect::<Vec<_>>()));
    let descriptor = ArrowSchemaConverter::new().convert(&schema)?;
    let properties = Arc::new(properties(table, &schema, rows, effort));
    let mut file = SerializedFileWriter::new(Vec::new(), descriptor.root_schema_ptr(), properties)?;
    let factory = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&schema));
    for (number, start) in (0..rows).step_by(GROUP_ROWS).enumerate() {
        let range = start..rows.min(start + GROUP_ROWS);
        let mut writers = factory.create_column_writers(number)?.into_iter();
        let mut group = file.next_row_group()?;
        for (column, field) in columns.iter().zip(schema.fields()) {
            let values = column.gather(order.as_deref(), range.clone())?;
            for leaf in compute_leaves(field, &values)? {
                let mut writer = writers.next().expect("there is a writer for each leaf of the schema");
                writer.write(&leaf)?;
                writer.close()?.append_to_row_group(&mut group)?;
            }
        }
        group.close()?;
    }
    Ok(Encoded { bytes: file.into_inner()?.into(), rows, statistics: statistics.to_json() })
}

/// Encodes one Parquet file from sorted batches, which need not be in memory together.
pub struct Writer {
    inner: ArrowWriter<Vec<u8>>,
    rows: usize,
    statistics: Statistics,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Writer {
    /// A writer of batches of `schema`, of `most_rows` at most in all: by that the bloom filters start.
    ///
    /// # Errors
    /// When the schema is not the table's.
    pub fn new(table: &'static Table, schema: &SchemaRef, most_rows: usize, effort: Effort) -> Result<Self, LakeError> {
        let properties = properties(table, schema, most_rows, effort);
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let inner = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), options)?;
        Ok(Self { inner, rows: 0, statistics: Statistics::new(table) })
    }

    /// Adds rows that sort behind those before.
    ///
    /// # Errors
    /// When they are not of the schema.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), LakeError> {
        self.inner.write(rows)?;
        self.statistics.add(rows)?;
        self.rows += rows.num_rows();
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// When the last rows cannot be encoded.
    pub fn finish(self) -> Result<Encoded, LakeError> {
        let bytes = Bytes::from(self.inner.into_inner()?);
        Ok(Encoded { bytes, rows: self.rows, statistics: self.statistics.to_json() })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, Int64Array, NullArray, StringArray, TimestampMicrosecondArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::Int64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use tracewell_model::schema::{ColumnType, SCORES};

    use super::*;

    /// Scores named by their number, which say nothing that they need not.
    fn scores(times: &[i64], first: usize) -> RecordBatch {
        let column = |column: &tracewell_model::schema::Column| -> (&str, ArrayRef) {
            let values: ArrayRef = match (column.name, column.kind) {
                ("name", _) => {
                    Arc::new(StringArray::from_iter_values((first..).take(times.len()).map(|at| at.to_string())))
                }
                (_, _) if column.nullable => Arc::new(NullArray::new(times.len())),
                (_, ColumnType::Text) => Arc::new(StringArray::from_iter_values(times.iter().map(|_| "x"))),
                (_, ColumnType::Timestamp) => {
                    Arc::new(TimestampMicrosecondArray::from_iter_values(times.iter().copied()).with_timezone("UTC"))
                }
                _ => Arc::new(Int64Array::from_iter_values(times.iter().copied())),
            };
            (column.name, values)
        };
        RecordBatch::try_from_iter(SCORES.columns[1..].iter().map(column)).unwrap()
    }

    #[test]
    fn batches_become_one_file_in_the_order_of_the_key_and_equals_keep_theirs() {
        let mut with_label = scores(&[2, 9], 4).columns().to_vec();
        with_label[SCORES.index("label") - 1] = Arc::new(StringArray::from(vec![Some("good"), None]));
        let names = SCORES.columns[1..].iter().map(|column| column.name);
        let batches = [scores(&[5, 3, 5, 1], 0), RecordBatch::try_from_iter(names.zip(with_label)).unwrap()];
        let file = encode_sorted(&SCORES, &batches, Effort::Fresh).unwrap();
        assert_eq!(file.rows, 6);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes).unwrap().build().unwrap();
        let read: Vec<_> = reader.map(Result::unwrap).collect();
        let read = concat_batches(&read[0].schema(), &read).unwrap();
        let times = read.column_by_name("time_unix_nano").unwrap().as_primitive::<Int64Type>();
        assert_eq!(times.values(), &[1, 2, 3, 5, 5, 9]);
        let names = read.column_by_name("name").unwrap().as_string::<i32>();
        assert_eq!(names.iter().flatten().collect::<Vec<_>>(), ["3", "4", "1", "0", "2", "5"]);
        let labels = read.column_by_name("label").unwrap().as_string::<i32>();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [None, Some("good"), None, None, None, None]);
        assert_eq!(read.column_by_name("metadata").unwrap().null_count(), 6);
    }
}
