//! Values as JSON text: what the tables hold for a value that is not a scalar.

use std::collections::HashMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{AnyValue, KeyValueList};

impl AnyValue<'_> {
    /// The value as JSON.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Appends the value as JSON: plain JSON types, not the tagged form of OTLP/JSON.
    ///
    /// Empty is `null`, bytes are base64, numbers JSON cannot hold are the strings `"NaN"`, `"Infinity"` and
    /// `"-Infinity"`, and of entries with one key the last stands. A double keeps a point or an exponent, so that
    /// it can be told from an integer.
    // Recursion is safe: a view nests no deeper than the limit it was decoded under.
    pub fn write_json(&self, out: &mut String) {
        match *self {
            AnyValue::Empty => out.push_str("null"),
            AnyValue::Str(text) => write_string(text, out),
            AnyValue::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            AnyValue::Int(value) => write_display(value, out),
            AnyValue::Double(value) if value.is_nan() => out.push_str("\"NaN\""),
            AnyValue::Double(f64::INFINITY) => out.push_str("\"Infinity\""),
            AnyValue::Double(f64::NEG_INFINITY) => out.push_str("\"-Infinity\""),
            // `Debug` writes the shortest digits that read back as the same double.
            AnyValue::Double(value) => write_display(format_args!("{value:?}"), out),
            AnyValue::Bytes(bytes) => {
                out.push('"');
                STANDARD.encode_string(bytes, out);
                out.push('"');
            }
            AnyValue::Array(array) => {
                out.push('[');
                for (i, value) in array.iter().enumerate() {
                    separate(i, out);
                    value.write_json(out);
                }
                out.push(']');
            }
            AnyValue::KvList(list) => write_object(list, out),
        }
    }
}

fn write_object(list: KeyValueList<'_>, out: &mut String) {
    let last: HashMap<&str, usize> = list.iter().enumerate().map(|(i, entry)| (entry.key, i)).collect();
    let standing = list.iter().enumerate().filter(|(i, entry)| last[entry.key] == *i);
    out.push('{');
    for (i, (_, entry)) in standing.enumerate() {
        separate(i, out);
        write_string(entry.key, out);
        out.push(':');
        entry.value.write_json(out);
    }
    out.push('}');
}

fn separate(position: usize, out: &mut String) {
    if position > 0 {
        out.push(',');
    }
}

fn write_display(value: impl std::fmt::Display, out: &mut String) {
    write!(out, "{value}").expect("writing to a string cannot fail");
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (i, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..i]);
        plain = i + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => write_display(format_args!("\\u{control:04x}"), out),
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Nested;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{self as proto};
    use prost::Message;

    fn any(value: Value) -> proto::AnyValue {
        proto::AnyValue { value: Some(value) }
    }

    fn entry(key: &str, value: Value) -> proto::KeyValue {
        proto::KeyValue { key: key.to_owned(), value: Some(any(value)), ..Default::default() }
    }

    fn json(value: Value) -> String {
        let bytes = any(value).encode_to_vec();
        AnyValue::read(&bytes, Nested::Check { levels: 64 }).expect("a valid value").to_json()
    }

    #[test]
    fn text_survives_a_json_parser() {
        let text: String = (0..0x300u32).chain([0x2028, 0xfffd, 0x1f600]).filter_map(char::from_u32).collect();
        let parsed: String = serde_json::from_str(&AnyValue::Str(&text).to_json()).expect("valid json");
        assert_eq!(parsed, text);
    }

    #[test]
    fn numbers_keep_their_kind_and_digits() {
        assert_eq!(AnyValue::Int(i64::MIN).to_json(), "-9223372036854775808");
        assert_eq!(AnyValue::Double(1.0).to_json(), "1.0");
        assert_eq!(AnyValue::Double(1e300).to_json(), "1e300");
        assert_eq!(AnyValue::Double(0.1 + 0.2).to_json(), "0.30000000000000004");
        assert_eq!(AnyValue::Double(f64::NAN).to_json(), "\"NaN\"");
        assert_eq!(AnyValue::Double(f64::NEG_INFINITY).to_json(), "\"-Infinity\"");
    }

    #[test]
    fn nested_values_become_plain_json() {
        let inner = vec![any(Value::BoolValue(true)), proto::AnyValue::default(), any(Value::BytesValue(vec![1, 2]))];
        let list = vec![
            entry("a", Value::IntValue(1)),
            entry("b \"", Value::ArrayValue(proto::ArrayValue { values: inner })),
            entry("a", Value::KvlistValue(proto::KeyValueList::default())),
        ];
        let value = Value::KvlistValue(proto::KeyValueList { values: list });
        assert_eq!(json(value), r#"{"b \"":[true,null,"AQI="],"a":{}}"#);
    }
}
