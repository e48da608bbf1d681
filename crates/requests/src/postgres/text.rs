//! Values of columns in the text form of PostgreSQL.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};

use super::value;

const DAY_NANOS: i64 = 86_400_000_000_000;

/// The texts of values.
///
/// # Errors
/// When the values cannot be brought into a type that is written.
pub fn texts(values: &ArrayRef) -> Result<StringViewArray, ArrowError> {
    let values = brought(values)?;
    let zone = zone_of(values.data_type())?;
    let (mut texts, mut text) = (StringViewBuilder::with_capacity(values.len()), BytesMut::new());
    for row in 0..values.len() {
        if values.is_null(row) {
            texts.append_null();
        } else {
            text.clear();
            write(values.as_ref(), row, zone, &mut text);
            texts.append_value(String::from_utf8_lossy(&text));
        }
    }
    Ok(texts.finish())
}

/// Brings values into one of the few types that are written. What lies between two times has every 24 hours as a day.
///
/// # Errors
/// When a value does not fit that type.
pub fn brought(values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let brought = cast(values, &canonical(values.data_type()))?;
    if !matches!(values.data_type(), DataType::Duration(_)) {
        return Ok(brought);
    }
    let with_days = |span: IntervalMonthDayNano| {
        let days = i32::try_from(span.nanoseconds / DAY_NANOS).unwrap_or_default();
        IntervalMonthDayNano::new(span.months, span.days + days, span.nanoseconds % DAY_NANOS)
    };
    let spans = brought.as_primitive::<IntervalMonthDayNanoType>();
    Ok(Arc::new(spans.unary::<_, IntervalMonthDayNanoType>(with_days)))
}

/// The type that values are brought into before they are written.
fn canonical(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Interval(_) | DataType::Duration(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Dictionary(_, value) => canonical(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(Arc::new(Field::new_list_field(canonical(item.data_type()), true)))
        }
        other => other.clone(),
    }
}

/// The zone that times, or the items of lists of times, are shown in.
///
/// # Errors
/// When there is no such zone.
pub fn zone_of(data_type: &DataType) -> Result<Option<Tz>, ArrowError> {
    match data_type {
        DataType::List(item) => zone_of(item.data_type()),
        DataType::Timestamp(_, Some(zone)) => Ok(Some(zone.parse()?)),
        _ => Ok(None),
    }
}

/// Writes a value that was brought into such a type and is not NULL.
pub fn write(values: &dyn Array, row: usize, zone: Option<Tz>, out: &mut BytesMut) {
    match values.data_type() {
        DataType::Boolean => out.put_u8(if values.as_boolean().value(row) { b't' } else { b'f' }),
        DataType::Int16 => value::text(out, values.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => value::text(out, values.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => value::text(out, values.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => {
            let float = values.as_primitive::<Float32Type>().value(row);
            value::float(out, f64::from(float), float);
        }
        DataType::Float64 => {
            let float = values.as_primitive::<Float64Type>().value(row);
            value::float(out, float, float);
        }
        DataType::Decimal128(..) => value::text(out, values.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Decimal256(..) => value::text(out, values.as_primitive::<Decimal256Type>().value_as_string(row)),
        DataType::Utf8View => out.put_slice(values.as_string_view().value(row).as_bytes()),
        DataType::BinaryView => {
            out.put_slice(b"\\x");
            out.put_slice(hex::encode(values.as_binary_view().value(row)).as_bytes());
        }
        DataType::Date32 => value::date(out, values.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(_) => value::time(out, values.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(..) => {
            value::timestamp(out, values.as_primitive::<TimestampMicrosecondType>().value(row), zone);
        }
        DataType::Interval(_) => {
            let interval = values.as_primitive::<IntervalMonthDayNanoType>().value(row);
            value::interval(out, interval.months, interval.days, interval.nanoseconds / 1000);
        }
        DataType::List(_) => list(values.as_list::<i32>().value(row).as_ref(), zone, out),
        other => debug_assert!(false, "{other} is not brought into a type that is written"),
    }
}

fn list(items: &dyn Array, zone: Option<Tz>, out: &mut BytesMut) {
    out.put_u8(b'{');
    let mut item = BytesMut::new();
    for row in 0..items.len() {
        if row > 0 {
            out.put_u8(b',');
        }
        if items.is_null(row) {
            out.put_slice(b"NULL");
            continue;
        }
        item.clear();
        write(items, row, zone, &mut item);
        let special = |byte: &u8| matches!(byte, b'{' | b'}' | b',' | b'"' | b'\\') || byte.is_ascii_whitespace();
        if item.is_empty() || item.eq_ignore_ascii_case(b"null") || item.iter().any(special) {
            out.put_u8(b'"');
            for byte in &item {
                if matches!(byte, b'"' | b'\\') {
                    out.put_u8(b'\\');
                }
                out.put_u8(*byte);
            }
            out.put_u8(b'"');
        } else {
            out.put_slice(&item);
        }
    }
    out.put_u8(b'}');
}

#[cfg(test)]
mod tests {
    use arrow::array::{DurationMicrosecondArray, ListArray, TimestampMicrosecondArray};

    use super::*;

    /// What PostgreSQL answers.
    #[test]
    fn values_are_written_as_postgresql_casts_them_to_text() {
        let written = |values: ArrayRef| -> Vec<Option<String>> {
            let texts = texts(&values).expect("they can be written");
            texts.iter().map(|text| text.map(ToOwned::to_owned)).collect()
        };
        // 2026-01-02 03:04:05.5 UTC
        let micros = 1_767_323_045_500_000;
        let times = TimestampMicrosecondArray::from(vec![Some(micros), None]);
        assert_eq!(written(Arc::new(times.clone())), [Some("2026-01-02 03:04:05.5".to_owned()), None]);
        let berlin = times.with_timezone("Europe/Berlin");
        assert_eq!(written(Arc::new(berlin)), [Some("2026-01-02 04:04:05.5+01".to_owned()), None]);
        // A day, 5 hours, 6 minutes and 7 seconds; and so much less than nothing.
        let spans = DurationMicrosecondArray::from(vec![104_767_000_000, -104_767_000_000]);
        let expected = ["1 day 05:06:07", "-1 days -05:06:07"].map(|text| Some(text.to_owned()));
        assert_eq!(written(Arc::new(spans)), expected);
        let lists = ListArray::from_iter_primitive::<TimestampMicrosecondType, _, _>([Some(vec![Some(micros), None])]);
        assert_eq!(written(Arc::new(lists)), [Some("{\"2026-01-02 03:04:05.5\",NULL}".to_owned())]);
    }
}
