//! How each column of a file is encoded and indexed.

use arrow::datatypes::{DataType, Field, SchemaRef};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use tracewell_model::schema::{Column, Table};

use super::Effort;

/// Rows of a page at most: the grain in which the page index prunes.
const PAGE_ROWS: usize = 8192;
/// Rows of a row group at most.
pub(super) const GROUP_ROWS: usize = 128 * 1024;
/// Bytes of a row group at most, before compression.
const GROUP_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a column's dictionary at most. The values of attributes need it: with Parquet's usual MiB a small span took
/// a fifth more (measured: 63 bytes, 54 with 8 MiB, 56 with 4).
const DICTIONARY_BYTES: usize = 8 * 1024 * 1024;
/// zstd level of files that compaction reads again soon, and of columns that more effort does not make smaller.
const FRESH_LEVEL: i32 = 1;
/// zstd level of files that stay.
const COMPACTED_LEVEL: i32 = 3;
/// A bloom filter answers "maybe" wrongly this often.
const BLOOM_FPP: f64 = 0.01;
/// The same where values repeat, so that filters are small: hundreds of traces are looked up at a time.
const REPEATED_FPP: f64 = 0.0001;

pub(super) fn properties(table: &Table, schema: &SchemaRef, most_rows: usize, effort: Effort) -> WriterProperties {
    let level = match effort {
        Effort::Fresh => FRESH_LEVEL,
        Effort::Compacted => COMPACTED_LEVEL,
    };
    let mut builder = WriterProperties::builder()
        .set_compression(zstd(level))
        .set_created_by(concat!("tracewell ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_dictionary_enabled(false)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
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
                .set_column_bloom_filter_fpp(path.clone(), if column.dictionary { REPEATED_FPP } else { BLOOM_FPP })
                .set_column_bloom_filter_max_ndv(path, distinct);
        }
    }
    builder.set_sorting_columns(Some(sorting.into_iter().flatten().collect())).build()
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).expect("zstd has levels 1 to 22"))
}

/// Whether it holds the hashes of messages: nearly each is a value of its own, so the dictionary would be most of the
/// column, which a lookup of one span reads whole (measured: without one the column is a sixth smaller).
fn is_listed_hash(path: &ColumnPath) -> bool {
    matches!(path.parts(), [.., list, _, hash] if list == "list" && hash == "hash")
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
            match data_type {
                // Lengths apart from the bytes: of ids in hexadecimal digits only the digits are left to compress.
                DataType::Utf8 | DataType::Utf8View | DataType::Dictionary(..) => {
                    builder = builder.set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
                }
                DataType::Int64 | DataType::Timestamp(..) => {
                    builder = builder.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
                }
                _ => {}
            }
            if column.random {
                builder = builder.set_column_compression(path.clone(), zstd(FRESH_LEVEL));
            }
            // What does not fit into the dictionary is encoded as said above.
            if column.dictionary || (nested && !is_listed_hash(&path)) {
                builder = builder.set_column_dictionary_enabled(path, true);
            }
        }
    }
    builder
}
