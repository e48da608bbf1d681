//! Record batches as rows of the protocol.

use std::sync::{Arc, LazyLock};

use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use bytes::{BufMut, BytesMut};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use pgwire::api::Type;
use tracewell_requests::postgres::message::Format;
use tracewell_requests::postgres::numeric::{EPOCH_DAYS, EPOCH_MICROS, numeric};
use tracewell_requests::postgres::text;
use tracewell_requests::postgres::types::{format_of, of_arrow};

use super::types::of_field;

/// A batch whose rows can be written one by one.
pub(super) struct Encoded {
    columns: Vec<(ArrayRef, FieldRef, Form)>,
    rows: usize,
}

/// How the values of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    format: Format,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// As the column's type is written.
    Plain,
    /// The one byte of PostgreSQL's own `"char"`.
    Char,
    /// An array of plain values with this type of items.
    List(u32),
    /// JSON, where PostgreSQL has no such type.
    Json,
}

impl Encoded {
    /// Brings a batch into the few types that are written.
    pub(super) fn new(batch: &RecordBatch, formats: &[Format]) -> Result<Self, ArrowError> {
        let schema = batch.schema();
        let columns = batch.columns().iter().zip(schema.fields()).enumerate().map(|(position, (column, field))| {
            let sent = of_field(field);
            let (column, kind) = match of_arrow(field.data_type()) {
                Type::JSONB => (Arc::clone(column), Kind::Json),
                _ if sent == Type::CHAR => (cast(column, &DataType::Utf8View)?, Kind::Char),
                _ => {
                    let column = text::brought(column)?;
                    let kind = match column.data_type() {
                        DataType::List(item) => Kind::List(of_arrow(item.data_type()).oid()),
                        _ => Kind::Plain,
                    };
                    (column, kind)
                }
            };
            let field = Arc::new(Field::new(field.name(), column.data_type().clone(), true));
            Ok((column, field, Form { format: format_of(formats, position), kind }))
        });
        Ok(Self { columns: columns.collect::<Result<_, ArrowError>>()?, rows: batch.num_rows() })
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What writes the rows.
    pub(super) fn writer(&self) -> Result<RowWriter<'_>, ArrowError> {
        let columns = self.columns.iter().map(|(column, field, form)| Column::new(column, field, *form));
        Ok(RowWriter(columns.collect::<Result<_, ArrowError>>()?))
    }
}

static JSON: LazyLock<EncoderOptions> = LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));

/// Writes rows of a batch.
pub(super) struct RowWriter<'a>(Vec<Column<'a>>);

impl RowWriter<'_> {
    /// Writes a row as a message.
    pub(super) fn write(&mut self, row: usize, out: &mut BytesMut) {
        out.put_u8(b'D');
        let start = out.len();
        out.put_u32(0);
        out.put_u16(u16::try_from(self.0.len()).unwrap_or(u16::MAX));
        for column in &mut self.0 {
            column.write(row, out);
        }
        let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

struct Column<'a> {
    values: &'a ArrayRef,
    zone: Option<Tz>,
    form: Form,
    json: Option<(NullableEncoder<'a>, Vec<u8>)>,
}

impl<'a> Column<'a> {
    fn new(values: &'a ArrayRef, field: &'a FieldRef, form: Form) -> Result<Self, ArrowError> {
        let zone = text::zone_of(values.data_type())?;
        let json = match form.kind {
            Kind::Json => Some((make_encoder(field, values.as_ref(), &JSON)?, Vec::new())),
            _ => None,
        };
        Ok(Self { values, zone, form, json })
    }

    /// Writes the length of a value and the value; NULL has the length -1.
    fn write(&mut self, row: usize, out: &mut BytesMut) {
        if self.values.is_null(row) {
            out.put_i32(-1);
            return;
        }
        sized(out, |out| match (self.form.kind, self.form.format) {
            (Kind::Json, format) => {
                let Some((encoder, buffer)) = &mut self.json else { return };
                buffer.clear();
                encoder.encode(row, buffer);
                if format == Format::Binary {
                    // The version of the format.
                    out.put_u8(1);
                }
                out.put_slice(buffer);
            }
            (Kind::Char, _) => out.put_slice(self.values.as_string_view().value(row).as_bytes()),
            (Kind::List(item), Format::Binary) => {
                list_binary(self.values.as_list::<i32>().value(row).as_ref(), item, out);
            }
            (_, Format::Text) => text::write(self.values.as_ref(), row, self.zone, out),
            (Kind::Plain, Format::Binary) => binary(self.values.as_ref(), row, out),
        });
    }
}

fn sized(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    write(out);
    let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn binary(values: &dyn Array, row: usize, out: &mut BytesMut) {
    match values.data_type() {
        DataType::Boolean => out.put_u8(u8::from(values.as_boolean().value(row))),
        DataType::Int16 => out.put_i16(values.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => out.put_i32(values.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => out.put_i64(values.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => out.put_f32(values.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => out.put_f64(values.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => {
            numeric(out, &values.as_primitive::<Decimal128Type>().value_as_string(row));
        }
        DataType::Decimal256(..) => {
            numeric(out, &values.as_primitive::<Decimal256Type>().value_as_string(row));
        }
        DataType::BinaryView => out.put_slice(values.as_binary_view().value(row)),
        DataType::Date32 => out.put_i32(values.as_primitive::<Date32Type>().value(row).saturating_sub(EPOCH_DAYS)),
        DataType::Time64(_) => out.put_i64(values.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(..) => {
            let micros = values.as_primitive::<TimestampMicrosecondType>().value(row);
            out.put_i64(micros.saturating_sub(EPOCH_MICROS));
        }
        DataType::Interval(_) => {
            let interval = values.as_primitive::<IntervalMonthDayNanoType>().value(row);
            out.put_i64(interval.nanoseconds / 1000);
            out.put_i32(interval.days);
            out.put_i32(interval.months);
        }
        // Text is the same in both.
        _ => text::write(values, row, None, out),
    }
}

fn list_binary(items: &dyn Array, item: u32, out: &mut BytesMut) {
    let length = i32::try_from(items.len()).unwrap_or(i32::MAX);
    out.put_i32(i32::from(length > 0));
    out.put_i32(i32::from(items.null_count() > 0));
    out.put_u32(item);
    if length == 0 {
        return;
    }
    out.put_i32(length);
    // The first index.
    out.put_i32(1);
    for row in 0..items.len() {
        if items.is_null(row) {
            out.put_i32(-1);
        } else {
            sized(out, |out| binary(items, row, out));
        }
    }
}
