//! The published schema as Arrow and Delta see it.
//!
//! Three forms of one schema:
//! - **file**: what a Parquet file holds, without the partition column;
//! - **table**: the file's columns and then `date`, with top-level text as `Utf8View`: what SQL sees;
//! - **rows**: what writers build, with dictionaries where few values repeat. Never stored as such.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use tracewell_model::schema::{Column, ColumnType, Table};

/// Key of the column's description in a field's metadata; Delta Lake and Spark know it as the comment.
pub const COMMENT: &str = "comment";

/// `Map<Utf8, Utf8>` with the names Delta Lake prescribes.
fn map_type() -> DataType {
    let entries =
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false)
}

fn list_of(item: DataType, nullable: bool) -> DataType {
    DataType::List(Arc::new(Field::new("element", item, nullable)))
}

/// The members of a reference into `contents`.
#[must_use]
pub fn ref_fields() -> Fields {
    Fields::from(vec![
        Field::new("hash", DataType::Utf8, false),
        Field::new("role", DataType::Utf8, true),
        Field::new("bytes", DataType::Int64, false),
        Field::new("source", DataType::Utf8, false),
        Field::new("form", DataType::Utf8, false),
    ])
}

/// The members of a span event.
#[must_use]
pub fn event_fields() -> Fields {
    Fields::from(vec![
        Field::new("time_unix_nano", DataType::Int64, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("attributes", map_type(), true),
        Field::new("dropped_attributes", DataType::Int64, true),
    ])
}

/// The members of a span link.
#[must_use]
pub fn link_fields() -> Fields {
    Fields::from(vec![
        Field::new("trace_id", DataType::Utf8, true),
        Field::new("span_id", DataType::Utf8, true),
        Field::new("trace_state", DataType::Utf8, true),
        Field::new("attributes", map_type(), true),
        Field::new("dropped_attributes", DataType::Int64, true),
    ])
}

fn texts_and_counts(texts: &[&str], counts: &[&str]) -> DataType {
    let texts = texts.iter().map(|name| Field::new(*name, DataType::Utf8, true));
    let counts = counts.iter().map(|name| Field::new(*name, DataType::Int64, true));
    DataType::Struct(texts.chain(counts).collect())
}

/// The type of a column in a Parquet file.
#[must_use]
pub fn file_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Double => DataType::Float64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Date => DataType::Date32,
        ColumnType::Map => map_type(),
        ColumnType::TextList => list_of(DataType::Utf8, false),
        ColumnType::Refs => list_of(DataType::Struct(ref_fields()), false),
        ColumnType::Ref => DataType::Struct(ref_fields()),
        ColumnType::Events => list_of(DataType::Struct(event_fields()), false),
        ColumnType::Links => list_of(DataType::Struct(link_fields()), false),
        ColumnType::SpanIds => list_of(texts_and_counts(&["trace_id", "span_id"], &[]), true),
        ColumnType::SubtreeUsage => texts_and_counts(&["span_id"], &["input_tokens", "output_tokens"]),
    }
}

fn field(column: &Column, data_type: DataType) -> Field {
    let comment = HashMap::from([(COMMENT.to_owned(), column.doc.to_owned())]);
    Field::new(column.name, data_type, column.nullable).with_metadata(comment)
}

/// The columns of a Parquet file: all but the partition.
#[must_use]
pub fn file_schema(table: &Table) -> SchemaRef {
    let fields = table.columns[1..].iter().map(|column| field(column, file_type(column.kind)));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A column as Delta Lake is told it: as stored.
pub(crate) fn delta_field(column: &Column) -> Field {
    field(column, file_type(column.kind))
}

/// The schema Delta Lake is told.
pub(crate) fn delta_schema(table: &Table) -> Schema {
    Schema::new(table.columns.iter().map(delta_field).collect::<Vec<_>>())
}

/// The columns as SQL reads them from files: top-level text as views, which are read without copying. Without comments:
/// an operator over two tables must find a column of both to be the same.
pub(crate) fn scan_schema(table: &Table) -> SchemaRef {
    Arc::new(Schema::new(table.columns[1..].iter().map(scan_field).collect::<Vec<_>>()))
}

/// A column as SQL sees it.
#[must_use]
pub fn scan_field(column: &Column) -> Field {
    let data_type = match column.kind {
        ColumnType::Text => DataType::Utf8View,
        kind => file_type(kind),
    };
    Field::new(column.name, data_type, column.nullable)
}

/// The partition column.
pub(crate) fn partition_field(table: &Table) -> FieldRef {
    Arc::new(Field::new(table.columns[0].name, DataType::Date32, table.columns[0].nullable))
}

/// What SQL sees: the columns as it reads them from files, and then the partition.
#[must_use]
pub fn table_schema(table: &Table) -> SchemaRef {
    let mut fields: Vec<FieldRef> = scan_schema(table).fields().iter().cloned().collect();
    fields.push(partition_field(table));
    Arc::new(Schema::new(fields))
}
