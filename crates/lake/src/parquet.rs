//! Rows to Parquet: sorted, compressed, with just the indexes that prune.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use tracewell_model::schema::{Column, Table};

use crate::LakeError;

mod statistics;

use statistics::Statistics;

/// Rows of a page at most: the grain in which the page index prunes.
const PAGE_ROWS: usize = 8192;
/// Rows of a row group at most.
const GROUP_ROWS: usize = 128 * 1024;
/// Bytes of a row group at most, before compression.
const GROUP_BYTES: usize = 64 * 1024 * 1024;
/// A bloom filter answers "maybe" wrongly this often.
const BLOOM_FPP: f64 = 0.01;

/// How much work goes into making a file small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// zstd 1: for files that compaction will read again soon.
    Fresh,
    /// zstd 3: for files that stay.
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
pub fn sort(table: &Table, rows: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let keys = table
        .sort
        .iter()
        .map(|key| Ok(SortColumn { values: plain(rows.column(rows.schema_ref().index_of(key)?))?, options: None }))
        .collect::<Result<Vec<_>, LakeError>>()?;
    let order = lexsort_to_indices(&keys, None)?;
    Ok(take_record_batch(rows, &order)?)
}

/// Text of any layout as plain text: a dictionary would sort by its keys.
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

fn properties(table: &Table, schema: &SchemaRef, most_rows: usize, effort: Effort) -> WriterProperties {
    let level = match effort {
        Effort::Fresh => 1,
        Effort::Compacted => 3,
    };
    let level = ZstdLevel::try_new(level).expect("levels 1 and 3 exist");
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("tracewell ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES));
    // Where a filter starts; it is folded to what the values need when a row group ends.
    let distinct = most_rows.clamp(1, GROUP_ROWS) as u64;
    let mut position = 0;
    let mut sorting = vec![None; table.sort.len()];
    for column in &table.columns[1..] {
        let field = schema.field_with_name(column.name).expect("rows have every column of the table");
        let pruned = column.statistics || table.sort.contains(&column.name);
        builder = leaves(builder, column, field, &mut vec![column.name.to_owned()], &mut |_| position += 1);
        if let Some(rank) = table.sort.iter().position(|key| *key == column.name) {
            sorting[rank] = Some(SortingColumn { column_idx: position - 1, descending: false, nulls_first: true });
        }
        let path = ColumnPath::from(column.name);
        if pruned {
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::Page);
        }
        if column.bloom {
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), BLOOM_FPP)
                .set_column_bloom_filter_max_ndv(path, distinct);
        }
    }
    builder.set_sorting_columns(Some(sorting.into_iter().flatten().collect())).build()
}

/// Sets the encoding of every leaf below `field`.
fn leaves(
    mut builder: WriterPropertiesBuilder,
    column: &Column,
    field: &Field,
    path: &mut Vec<String>,
    leaf: &mut dyn FnMut(&[String]),
) -> WriterPropertiesBuilder {
    match field.data_type() {
        DataType::List(item) => {
            path.extend(["list".to_owned(), item.name().clone()]);
            builder = leaves(builder, column, &Field::new("", item.data_type().clone(), true), path, leaf);
            path.truncate(path.len() - 2);
        }
        DataType::Map(entries, _) => {
            path.push(entries.name().clone());
            builder = leaves(builder, column, entries, path, leaf);
            path.pop();
        }
        DataType::Struct(members) => {
            for member in members {
                path.push(member.name().clone());
                builder = leaves(builder, column, member, path, leaf);
                path.pop();
            }
        }
        data_type => {
            leaf(path);
            let path = ColumnPath::new(path.clone());
            let nested = path.parts().len() > 1;
            if column.dictionary || nested {
                builder = builder.set_column_dictionary_enabled(path, true);
            } else if matches!(data_type, DataType::Int64 | DataType::Timestamp(..)) {
                builder = builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
    }
    builder
}
