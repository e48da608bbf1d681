//! Values of parameters, as clients send them.

use arrow::datatypes::{DataType, IntervalMonthDayNano};
use bytes::Buf;
use datafusion_common::ScalarValue;
use postgres_types::Kind;
use postgres_types::Type;

use super::message::Format;
use super::numeric::{EPOCH_DAYS, EPOCH_MICROS, numeric_digits};
use super::types::{of_arrow, of_parameter};
use crate::{Failure, decimal};

/// A value for a parameter whose declared type is `oid`, 0 when it is not declared, and which the query takes as
/// `wanted`.
///
/// # Errors
/// When the bytes are no such value.
pub fn read(bytes: Option<&[u8]>, oid: u32, wanted: &DataType, format: Format) -> Result<ScalarValue, Failure> {
    let Some(bytes) = bytes else { return Ok(ScalarValue::Null) };
    match format {
        Format::Text => text(bytes, wanted),
        Format::Binary => {
            let sent = if oid == 0 { of_arrow(wanted) } else { Type::from_oid(oid).unwrap_or(Type::TEXT) };
            binary(bytes, &sent).ok_or_else(|| Failure::new("22P03", format!("a binary value is no {}", sent.name())))
        }
    }
}

fn text(bytes: &[u8], wanted: &DataType) -> Result<ScalarValue, Failure> {
    let invalid = |what: &str| Failure::new("22P02", format!("a parameter is no {what}"));
    let text = str::from_utf8(bytes).map_err(|_| Failure::new("22021", "a parameter is not UTF-8"))?;
    match wanted {
        DataType::Binary => match text.strip_prefix("\\x") {
            Some(digits) => Ok(ScalarValue::Binary(Some(hex::decode(digits).map_err(|_| invalid("bytea"))?))),
            None => Ok(ScalarValue::Binary(Some(bytes.to_vec()))),
        },
        DataType::List(item) => {
            let items = list(text).ok_or_else(|| invalid("array"))?;
            let items: Vec<ScalarValue> = items.into_iter().map(ScalarValue::Utf8).collect();
            let texts = ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Utf8));
            texts.cast_to(&DataType::List(item.clone())).map_err(|_| invalid("array of this type"))
        }
        wanted if wanted.is_decimal() => decimal(text).ok_or_else(|| invalid("numeric")),
        // The engine reads it as the type that is wanted.
        _ => Ok(ScalarValue::from(text)),
    }
}

/// The items of an array in text: `{a,"b c",NULL}`. Arrays of arrays are not taken.
#[must_use]
pub fn list(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if inner.trim().is_empty() {
        return Some(items);
    }
    let mut characters = inner.chars().peekable();
    loop {
        let (mut item, mut quoted) = (String::new(), false);
        while let Some(character) = characters.next_if(|character| *character != ',') {
            match character {
                '\\' => item.push(characters.next()?),
                // White space around a quoted item is not part of it.
                '"' if !item.trim().is_empty() => return None,
                '"' => {
                    quoted = true;
                    item.clear();
                    loop {
                        match characters.next()? {
                            '"' => break,
                            '\\' => item.push(characters.next()?),
                            other => item.push(other),
                        }
                    }
                }
                '{' | '}' => return None,
                other if quoted && other.is_whitespace() => {}
                _ if quoted => return None,
                other => item.push(other),
            }
        }
        let item = if quoted { item } else { item.trim().to_owned() };
        items.push((quoted || !item.eq_ignore_ascii_case("null")).then_some(item));
        if characters.next().is_none() {
            return Some(items);
        }
    }
}

fn binary(mut bytes: &[u8], sent: &Type) -> Option<ScalarValue> {
    let all = bytes;
    let value = match *sent {
        Type::BOOL => ScalarValue::from(bytes.try_get_u8().ok()? != 0),
        Type::INT2 => ScalarValue::from(bytes.try_get_i16().ok()?),
        Type::INT4 | Type::OID => ScalarValue::from(bytes.try_get_i32().ok()?),
        Type::INT8 => ScalarValue::from(bytes.try_get_i64().ok()?),
        Type::FLOAT4 => ScalarValue::from(bytes.try_get_f32().ok()?),
        Type::FLOAT8 => ScalarValue::from(bytes.try_get_f64().ok()?),
        Type::NUMERIC => return decimal(&numeric_digits(bytes)?),
        Type::DATE => ScalarValue::Date32(Some(bytes.try_get_i32().ok()?.checked_add(EPOCH_DAYS)?)),
        Type::TIME => ScalarValue::Time64Microsecond(Some(bytes.try_get_i64().ok()?)),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let micros = bytes.try_get_i64().ok()?.checked_add(EPOCH_MICROS)?;
            let zone = (*sent == Type::TIMESTAMPTZ).then(|| "UTC".into());
            ScalarValue::TimestampMicrosecond(Some(micros), zone)
        }
        Type::INTERVAL => {
            let micros = bytes.try_get_i64().ok()?;
            let (days, months) = (bytes.try_get_i32().ok()?, bytes.try_get_i32().ok()?);
            let interval = IntervalMonthDayNano::new(months, days, micros.checked_mul(1000)?);
            ScalarValue::IntervalMonthDayNano(Some(interval))
        }
        Type::BYTEA => return Some(ScalarValue::Binary(Some(all.to_vec()))),
        Type::UUID => {
            let digits = hex::encode(<[u8; 16]>::try_from(all).ok()?);
            let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
            return Some(ScalarValue::from(parts.join("-")));
        }
        // A byte with the version of the format comes first.
        Type::JSONB => return Some(ScalarValue::from(str::from_utf8(all.strip_prefix(&[1])?).ok()?)),
        _ if of_parameter(sent.oid()).is_some() => return binary_list(all),
        _ => return Some(ScalarValue::from(str::from_utf8(all).ok()?)),
    };
    bytes.is_empty().then_some(value)
}

fn binary_list(mut bytes: &[u8]) -> Option<ScalarValue> {
    let (dimensions, _nulls, oid) = (bytes.try_get_i32().ok()?, bytes.try_get_i32().ok()?, bytes.try_get_u32().ok()?);
    // Arrays of arrays are another number of dimensions; an item that is one would be read for ever deeper.
    let item = Type::from_oid(oid).filter(|item| !matches!(item.kind(), Kind::Array(_)))?;
    // Decimals of one array may differ in their digits behind the point.
    let data_type = of_parameter(oid).unwrap_or(DataType::Utf8);
    let mut items = Vec::new();
    if dimensions == 1 {
        let (length, _first) = (bytes.try_get_i32().ok()?, bytes.try_get_i32().ok()?);
        for _ in 0..length {
            let value = match usize::try_from(bytes.try_get_i32().ok()?) {
                Ok(length) if length <= bytes.len() => {
                    let (value, rest) = bytes.split_at(length);
                    bytes = rest;
                    binary(value, &item)?.cast_to(&data_type).ok()?
                }
                Ok(_) => return None,
                Err(_) => ScalarValue::try_from(&data_type).ok()?,
            };
            items.push(value);
        }
    } else if dimensions != 0 {
        return None;
    }
    bytes.is_empty().then(|| ScalarValue::List(ScalarValue::new_list_nullable(&items, &data_type)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_in_text_are_read() {
        let item = |text: &str| Some(text.to_owned());
        assert_eq!(list("{}"), Some(vec![]));
        assert_eq!(
            list(r#"{a, "b \"c,d" ,NULL,"NULL",e\,f}"#),
            Some(vec![item("a"), item("b \"c,d"), None, item("NULL"), item("e,f")])
        );
        assert_eq!(list("{a"), None);
        assert_eq!(list("{{a}}"), None);
        assert_eq!(list(r#"{"a}"#), None);
    }

    #[test]
    fn values_in_binary_are_read() {
        let read = |bytes: &[u8], sent: &Type| binary(bytes, sent);
        assert_eq!(read(&[0, 0, 0, 7], &Type::INT4), Some(ScalarValue::from(7_i32)));
        assert_eq!(read(&[0, 0, 7], &Type::INT4), None);
        assert_eq!(read(&[0, 0, 0, 7, 0], &Type::INT4), None);
        assert_eq!(read(&[0; 8], &Type::TIMESTAMP), Some(ScalarValue::TimestampMicrosecond(Some(EPOCH_MICROS), None)));
        let decimal = read(&[0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 9, 41, 26, 124], &Type::NUMERIC);
        assert_eq!(decimal, Some(ScalarValue::Decimal128(Some(12_345_678), 38, 3)));
        let nested = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 241, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(read(&nested, &Type::TEXT_ARRAY), None);
        let list = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, b'x'];
        let expected = ScalarValue::new_list_nullable(&[ScalarValue::from("x")], &DataType::Utf8);
        assert_eq!(read(&list, &Type::TEXT_ARRAY), Some(ScalarValue::List(expected)));
        assert_eq!(read(&list[..20], &Type::TEXT_ARRAY), None);
    }
}
