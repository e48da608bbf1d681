//! Arrow columns that cost nothing where nothing is said.
//!
//! A table has some ninety columns and a span fills twenty. A [`Column`] is told only the rows that have a value and
//! fills the gaps with NULLs when the next value comes, many at a time.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, MapFieldNames,
    NullArray, RecordBatch, StringBuilder, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use tracewell_lake::schema::{event_fields, file_type, link_fields, ref_fields};
use tracewell_model::schema::{ColumnType, Table};

mod runs;

use runs::Runs;

/// `Map<Utf8, Utf8>` under Delta Lake's names.
pub(crate) type TextMap = MapBuilder<StringBuilder, StringBuilder>;

fn text_map() -> TextMap {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
}

enum Values {
    Text(StringBuilder),
    Dictionary(Runs),
    Int64(Int64Builder),
    Int32(Int32Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Map(TextMap),
    TextList(ListBuilder<StringBuilder>),
    Struct(StructBuilder),
    Structs(ListBuilder<StructBuilder>),
}

/// One reference into `contents`.
#[derive(Clone, Copy)]
pub(crate) struct Reference<'a> {
    pub(crate) hash: &'a str,
    pub(crate) role: Option<&'a str>,
    pub(crate) bytes: i64,
    pub(crate) source: &'a str,
    pub(crate) form: &'a str,
}

struct Column {
    values: Values,
    /// Rows the builder holds, NULLs included.
    filled: usize,
}

/// The columns of one table under construction.
pub(crate) struct Columns {
    table: &'static Table,
    columns: Vec<Column>,
    rows: usize,
    /// Bytes of text taken in: what the memory limit counts.
    bytes: usize,
}

fn struct_builder(fields: arrow::datatypes::Fields) -> StructBuilder {
    let builders = fields.iter().map(|field| match field.data_type() {
        DataType::Int64 => Box::new(Int64Builder::new()) as Box<dyn arrow::array::ArrayBuilder>,
        DataType::Map(..) => Box::new(text_map()),
        _ => Box::new(StringBuilder::new()),
    });
    StructBuilder::new(fields.clone(), builders.collect())
}

fn struct_list(fields: arrow::datatypes::Fields) -> ListBuilder<StructBuilder> {
    let item = Field::new("element", DataType::Struct(fields.clone()), false);
    ListBuilder::new(struct_builder(fields)).with_field(item)
}

impl Columns {
    pub(crate) fn new(table: &'static Table) -> Self {
        let columns = table.columns[1..]
            .iter()
            .map(|column| {
                let values = match column.kind {
                    ColumnType::Text if column.dictionary => Values::Dictionary(Runs::default()),
                    ColumnType::Text => Values::Text(StringBuilder::new()),
                    ColumnType::Int64 => Values::Int64(Int64Builder::new()),
                    ColumnType::Int32 | ColumnType::Date => Values::Int32(Int32Builder::new()),
                    ColumnType::Double => Values::Double(Float64Builder::new()),
                    ColumnType::Bool => Values::Bool(BooleanBuilder::new()),
                    ColumnType::Timestamp => Values::Timestamp(
                        TimestampMicrosecondBuilder::new().with_data_type(file_type(ColumnType::Timestamp)),
                    ),
                    ColumnType::Map => Values::Map(text_map()),
                    ColumnType::TextList => {
                        let item = Field::new("element", DataType::Utf8, false);
                        Values::TextList(ListBuilder::new(StringBuilder::new()).with_field(item))
                    }
                    ColumnType::Ref => Values::Struct(struct_builder(ref_fields())),
                    ColumnType::Refs => Values::Structs(struct_list(ref_fields())),
                    ColumnType::Events => Values::Structs(struct_list(event_fields())),
                    ColumnType::Links => Values::Structs(struct_list(link_fields())),
                    ColumnType::SpanIds | ColumnType::SubtreeUsage => unreachable!("only derived tables have such"),
                };
                Column { values, filled: 0 }
            })
            .collect();
        Self { table, columns, rows: 0, bytes: 0 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends the current row.
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
        self.bytes += 64;
    }

    /// The builder of a column, brought up to the current row; the caller appends exactly one value.
    #[inline]
    fn at(&mut self, column: usize) -> &mut Values {
        // Position 0 is the partition, which is no column of the file.
        let column = &mut self.columns[column - 1];
        if column.filled < self.rows {
            column.values.append_nulls(self.rows - column.filled);
        }
        column.filled = self.rows + 1;
        &mut column.values
    }

    #[inline]
    pub(crate) fn text(&mut self, column: usize, value: &str) {
        self.bytes += value.len();
        match self.at(column) {
            Values::Text(builder) => builder.append_value(value),
            Values::Dictionary(builder) => builder.append_value(value),
            _ => unreachable!("the column is text"),
        }
    }

    #[inline]
    pub(crate) fn int(&mut self, column: usize, value: i64) {
        match self.at(column) {
            Values::Int64(builder) => builder.append_value(value),
            Values::Int32(builder) => builder.append_value(value as i32),
            Values::Timestamp(builder) => builder.append_value(value),
            _ => unreachable!("the column is an integer or a time"),
        }
    }

    pub(crate) fn double(&mut self, column: usize, value: f64) {
        match self.at(column) {
            Values::Double(builder) => builder.append_value(value),
            _ => unreachable!("the column is a double"),
        }
    }

    pub(crate) fn bool(&mut self, column: usize, value: bool) {
        match self.at(column) {
            Values::Bool(builder) => builder.append_value(value),
            _ => unreachable!("the column is boolean"),
        }
    }

    pub(crate) fn list<'t>(&mut self, column: usize, items: impl Iterator<Item = &'t str>) {
        let mut bytes = 0;
        match self.at(column) {
            Values::TextList(builder) => {
                for item in items {
                    bytes += item.len();
                    builder.values().append_value(item);
                }
                builder.append(true);
            }
            _ => unreachable!("the column is a list of text"),
        }
        self.bytes += bytes;
    }

    /// Appends a map; `fill` appends its entries.
    pub(crate) fn map(&mut self, column: usize, fill: impl FnOnce(&mut MapEntries<'_>)) {
        let mut bytes = 0;
        match self.at(column) {
            Values::Map(builder) => {
                fill(&mut MapEntries { builder, bytes: &mut bytes });
                builder.append(true).expect("every entry has a key and a value");
            }
            _ => unreachable!("the column is a map"),
        }
        self.bytes += bytes;
    }

    pub(crate) fn reference(&mut self, column: usize, reference: Reference<'_>) {
        match self.at(column) {
            Values::Struct(builder) => append_reference(builder, reference),
            _ => unreachable!("the column is a reference"),
        }
        self.bytes += 128;
    }

    pub(crate) fn references<'t>(&mut self, column: usize, references: impl Iterator<Item = Reference<'t>>) {
        let mut bytes = 0;
        match self.at(column) {
            Values::Structs(builder) => {
                for reference in references {
                    bytes += 128;
                    append_reference(builder.values(), reference);
                }
                builder.append(true);
            }
            _ => unreachable!("the column is a list of references"),
        }
        self.bytes += bytes;
    }

    /// Appends a list of structs; `fill` appends each member of each.
    pub(crate) fn structs(&mut self, column: usize, fill: impl FnOnce(&mut StructBuilder, &mut usize)) {
        let mut bytes = 0;
        match self.at(column) {
            Values::Structs(builder) => {
                fill(builder.values(), &mut bytes);
                builder.append(true);
            }
            _ => unreachable!("the column is a list of structs"),
        }
        self.bytes += bytes;
    }

    /// The rows so far as one batch; the columns start again empty. A column without a value has Arrow's type `Null`.
    pub(crate) fn finish(&mut self) -> RecordBatch {
        let rows = self.rows;
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, spec) in self.columns.iter_mut().zip(&self.table.columns[1..]) {
            let array: ArrayRef = match std::mem::take(&mut column.filled) {
                // No row says anything: so do no bytes.
                0 => Arc::new(NullArray::new(rows)),
                filled => {
                    if filled < rows {
                        column.values.append_nulls(rows - filled);
                    }
                    column.values.finish()
                }
            };
            fields.push(Field::new(spec.name, array.data_type().clone(), spec.nullable));
            arrays.push(array);
        }
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .expect("every column was filled to the same row, and required columns at every row")
    }
}

impl Values {
    fn append_nulls(&mut self, n: usize) {
        match self {
            Self::Text(builder) => builder.append_nulls(n),
            Self::Dictionary(builder) => builder.append_nulls(n),
            Self::Int64(builder) => builder.append_nulls(n),
            Self::Int32(builder) => builder.append_nulls(n),
            Self::Double(builder) => builder.append_nulls(n),
            Self::Bool(builder) => builder.append_nulls(n),
            Self::Timestamp(builder) => builder.append_nulls(n),
            Self::Map(builder) => builder.append_nulls(n).expect("no entry is open"),
            Self::TextList(builder) => builder.append_nulls(n),
            Self::Struct(builder) => (0..n).for_each(|_| {
                append_null_reference(builder);
            }),
            Self::Structs(builder) => builder.append_nulls(n),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Dictionary(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Int32(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Map(builder) => Arc::new(builder.finish()),
            Self::TextList(builder) => Arc::new(builder.finish()),
            Self::Struct(builder) => Arc::new(builder.finish()),
            Self::Structs(builder) => Arc::new(builder.finish()),
        }
    }
}

fn member<T: arrow::array::ArrayBuilder>(builder: &mut StructBuilder, position: usize) -> &mut T {
    builder.field_builder(position).expect("the member's builder is of this type")
}

fn append_reference(builder: &mut StructBuilder, reference: Reference<'_>) {
    member::<StringBuilder>(builder, 0).append_value(reference.hash);
    member::<StringBuilder>(builder, 1).append_option(reference.role);
    member::<Int64Builder>(builder, 2).append_value(reference.bytes);
    member::<StringBuilder>(builder, 3).append_value(reference.source);
    member::<StringBuilder>(builder, 4).append_value(reference.form);
    builder.append(true);
}

/// A NULL reference: its required members hold blanks that no reader sees.
fn append_null_reference(builder: &mut StructBuilder) {
    member::<StringBuilder>(builder, 0).append_value("");
    member::<StringBuilder>(builder, 1).append_null();
    member::<Int64Builder>(builder, 2).append_value(0);
    member::<StringBuilder>(builder, 3).append_value("");
    member::<StringBuilder>(builder, 4).append_value("");
    builder.append(false);
}

/// The entries of one map under construction.
pub(crate) struct MapEntries<'b> {
    builder: &'b mut TextMap,
    bytes: &'b mut usize,
}

impl MapEntries<'_> {
    #[inline]
    pub(crate) fn push(&mut self, key: &str, value: &str) {
        *self.bytes += key.len() + value.len();
        self.builder.keys().append_value(key);
        self.builder.values().append_value(value);
    }
}

/// Appends an event's or link's attribute map as member `position`, and adds to `bytes` what it takes.
pub(crate) fn member_map(
    builder: &mut StructBuilder,
    position: usize,
    bytes: &mut usize,
    fill: impl FnOnce(&mut MapEntries<'_>),
) {
    let map = member::<TextMap>(builder, position);
    fill(&mut MapEntries { builder: map, bytes });
    map.append(true).expect("every entry has a key and a value");
}

pub(crate) fn member_text(builder: &mut StructBuilder, position: usize, value: &str) {
    member::<StringBuilder>(builder, position).append_value(value);
}

pub(crate) fn member_optional_text(builder: &mut StructBuilder, position: usize, value: Option<&str>) {
    member::<StringBuilder>(builder, position).append_option(value);
}

pub(crate) fn member_optional_int(builder: &mut StructBuilder, position: usize, value: Option<i64>) {
    member::<Int64Builder>(builder, position).append_option(value);
}
