//! Rows to Parquet: sorted, compressed, with just the indexes that prune.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, TimestampMicrosecondType, UInt32Type};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value};
use tracewell_model::schema::{Column, ColumnType, Table};

use crate::LakeError;

/// Rows of a page at most: the grain in which the page index prunes.
const PAGE_ROWS: usize = 8192;
/// Rows of a row group at most.
const GROUP_ROWS: usize = 128 * 1024;
/// Bytes of a row group at most, before compression.
const GROUP_BYTES: usize = 64 * 1024 * 1024;
/// A bloom filter answers "maybe" wrongly this often.
const BLOOM_FPP: f64 = 0.01;
/// Texts beyond this length are left out of the statistics: a cut maximum would have to be rounded up.
const STATISTICS_TEXT: usize = 64;

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

/// Dictionary-encoded text sorts by its keys in arrow; the values are wanted.
fn plain(column: &ArrayRef) -> Result<ArrayRef, LakeError> {
    match column.data_type() {
        DataType::Dictionary(_, values) => Ok(arrow::compute::cast(column, values)?),
        _ => Ok(Arc::clone(column)),
    }
}

/// Encodes sorted rows as one Parquet file.
///
/// # Errors
/// When the rows are not of the table's schema.
pub fn encode(table: &Table, rows: &RecordBatch, effort: Effort) -> Result<Encoded, LakeError> {
    let options = ArrowWriterOptions::new().with_properties(properties(table, rows, effort)).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options)?;
    writer.write(rows)?;
    let bytes = Bytes::from(writer.into_inner()?);
    Ok(Encoded { bytes, rows: rows.num_rows(), statistics: statistics(table, rows)? })
}

fn properties(table: &Table, rows: &RecordBatch, effort: Effort) -> WriterProperties {
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
    let mut position = 0;
    let mut sorting = vec![None; table.sort.len()];
    for column in &table.columns[1..] {
        let field = rows.schema_ref().field_with_name(column.name).expect("rows have every column of the table");
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
                .set_column_bloom_filter_max_ndv(path, distinct(rows, column.name));
        }
    }
    builder.set_sorting_columns(Some(sorting.into_iter().flatten().collect())).build()
}

/// At most how many distinct values a column has: the size of its dictionary where it has one.
fn distinct(rows: &RecordBatch, name: &str) -> u64 {
    let column = rows.column_by_name(name).expect("rows have every column of the table");
    let most = match column.as_dictionary_opt::<UInt32Type>() {
        Some(dictionary) => dictionary.values().len().min(rows.num_rows()),
        None => rows.num_rows(),
    };
    most.clamp(1, GROUP_ROWS) as u64
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

/// The statistics of a file for the Delta log
/// (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics>).
fn statistics(table: &Table, rows: &RecordBatch) -> Result<String, LakeError> {
    let mut min = Map::new();
    let mut max = Map::new();
    let mut nulls = Map::new();
    for column in table.columns[1..].iter().filter(|column| column.statistics) {
        let array = rows.column(rows.schema_ref().index_of(column.name)?);
        nulls.insert(column.name.to_owned(), array.null_count().into());
        if let Some((low, high)) = bounds(column, array)? {
            min.insert(column.name.to_owned(), low);
            max.insert(column.name.to_owned(), high);
        }
    }
    let all = HashMap::from([
        ("numRecords", Value::from(rows.num_rows())),
        ("minValues", min.into()),
        ("maxValues", max.into()),
        ("nullCount", nulls.into()),
    ]);
    Ok(serde_json::to_string(&all).expect("JSON values serialise"))
}

fn bounds(column: &Column, array: &ArrayRef) -> Result<Option<(Value, Value)>, LakeError> {
    Ok(match column.kind {
        ColumnType::Timestamp => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            let text = |micros: i64| chrono::DateTime::from_timestamp_micros(micros).map(|time| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
            arrow::compute::min(values)
                .and_then(text)
                .zip(arrow::compute::max(values).and_then(text))
                .map(|(low, high)| (low.into(), high.into()))
        }
        ColumnType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            arrow::compute::min(values).zip(arrow::compute::max(values)).map(|(low, high)| (low.into(), high.into()))
        }
        ColumnType::Text => {
            let plain = plain(array)?;
            let values = plain.as_string::<i32>();
            arrow::compute::min_string(values)
                .zip(arrow::compute::max_string(values))
                .filter(|(low, high)| low.len() <= STATISTICS_TEXT && high.len() <= STATISTICS_TEXT)
                .map(|(low, high)| (low.into(), high.into()))
        }
        _ => None,
    })
}
