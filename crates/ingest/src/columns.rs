//! Arrow columns that cost nothing where nothing is said.
//!
//! A table has some ninety columns and a span fills twenty. A [`Column`] is told only the rows that have a value and
//! fills the gaps with NULLs when the next value comes, many at a time. Its builder is made for the first value, and
//! empty: there are columns for each day, and one request may name thousands of days.

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
    MapBuilder::with_capacity(Some(names), text_builder(), text_builder(), 0)
}

fn text_builder() -> StringBuilder {
    StringBuilder::with_capacity(0, 0)
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

#[derive(Default)]
struct Column {
    /// Made for the first value.
    values: Option<Box<Values>>,
    /// Rows the builder holds, NULLs included.
    filled: usize,
}

/// What a column with a value takes beside its values, and what the schema of a table's rows takes: measured with one
/// span on each of 4,000 days.
const COLUMN_BYTES: usize = 512;
const TABLE_BYTES: usize = 16 << 10;
/// What tells where a text of a list or a map ends: a small span has some forty, a fifth of what its text takes.
const OFFSET_BYTES: usize = 4;

/// The columns of one table under construction.
pub(crate) struct Columns {
    table: &'static Table,
    columns: Vec<Column>,
    rows: usize,
    /// Bytes of text taken in, and what holds them: what the memory limit counts.
    bytes: usize,
}

fn struct_builder(fields: arrow::datatypes::Fields) -> StructBuilder {
    let builders = fields.iter().map(|field| match field.data_type() {
        DataType::Int64 => Box::new(Int64Builder::with_capacity(0)) as Box<dyn arrow::array::ArrayBuilder>,
        DataType::Map(..) => Box::new(text_map()),
        _ => Box::new(text_builder()),
    });
    StructBuilder::new(fields.clone(), builders.collect())
}

fn struct_list(fields: arrow::datatypes::Fields) -> ListBuilder<StructBuilder> {
    let item = Field::new("element", DataType::Struct(fields.clone()), false);
    ListBuilder::with_capacity(struct_builder(fields), 0).with_field(item)
}

impl Columns {
    pub(crate) fn new(table: &'static Table) -> Self {
        let columns = table.columns[1..].iter().map(|_| Column::default()).collect();
        Self { table, columns, rows: 0, bytes: 0 }
    }

    /// Makes room for `bytes` of text in a column: what grows by doubling is written twice.
    pub(crate) fn reserve(&mut self, column: usize, bytes: usize) {
        let values = Values::Text(StringBuilder::with_capacity(0, bytes));
        self.bytes += COLUMN_BYTES;
        self.columns[column - 1].values = Some(Box::new(values));
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends the current row.
    pub(crate) fn end_row(&mut self) {
        if self.rows == 0 {
            self.bytes += TABLE_BYTES;
        }
        self.rows += 1;
        self.bytes += 64;
    }

    /// The builder of a column, brought up to the current row; the caller appends exactly one value.
    #[inline]
    fn at(&mut self, column: usize) -> &mut Values {
        let spec = &self.table.columns[column];
        // Position 0 is the partition, which is no column of the file.
        let column = &mut self.columns[column - 1];
        let values = column.values.get_or_insert_with(|| {
            self.bytes += COLUMN_BYTES;
            Box::new(Values::new(spec))
        });
        if column.filled < self.rows {
            values.append_nulls(self.rows - column.filled);
        }
        column.filled = self.rows + 1;
        values
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
                    bytes += item.len() + OFFSET_BYTES;
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
            let array: ArrayRef = match std::mem::take(column) {
                // No row says anything: so do no bytes.
                Column { values: None, .. } => Arc::new(NullArray::new(rows)),
                Column { values: Some(mut values), filled } => {
                    if filled < rows {
                        values.append_nulls(rows - filled);
                    }
                    values.finish()
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
    /// A builder for `column` that holds no memory yet.
    fn new(column: &tracewell_model::schema::Column) -> Self {
        match column.kind {
            ColumnType::Text if column.dictionary => Self::Dictionary(Runs::new()),
            ColumnType::Text => Self::Text(text_builder()),
            ColumnType::Int64 => Self::Int64(Int64Builder::with_capacity(0)),
            ColumnType::Int32 | ColumnType::Date => Self::Int32(Int32Builder::with_capacity(0)),
            ColumnType::Double => Self::Double(Float64Builder::with_capacity(0)),
            ColumnType::Bool => Self::Bool(BooleanBuilder::with_capacity(0)),
            ColumnType::Timestamp => Self::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(0).with_data_type(file_type(ColumnType::Timestamp)),
            ),
            ColumnType::Map => Self::Map(text_map()),
            ColumnType::TextList => {
                let item = Field::new("element", DataType::Utf8, false);
                Self::TextList(ListBuilder::with_capacity(text_builder(), 0).with_field(item))
            }
            ColumnType::Ref => Self::Struct(struct_builder(ref_fields())),
            ColumnType::Refs => Self::Structs(struct_list(ref_fields())),
            ColumnType::Events => Self::Structs(struct_list(event_fields())),
            ColumnType::Links => Self::Structs(struct_list(link_fields())),
            ColumnType::SpanIds | ColumnType::SubtreeUsage => unreachable!("only derived tables have such"),
        }
    }

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
        *self.bytes += key.len() + value.len() + 2 * OFFSET_BYTES;
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
