//! What PostgreSQL does with whole values of `jsonb`: `a || b`, `a = b`, `a ? 'key'` and `jsonb_typeof(a)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_functions_json::json_field_metadata;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::scalars::text;
use super::contained::is_number;

/// What `a || b` and `a = b` are read as.
pub(crate) const JOINED: &str = "tracewell_json_joined";
pub(crate) const SAME: &str = "tracewell_same_json";

pub(super) fn functions() -> [ScalarUDF; 4] {
    [(Work::Joined, 2), (Work::Same, 2), (Work::Has, 2), (Work::Kind, 1)].map(|(work, arguments)| {
        let function = ScalarUDF::from(OfValues { work, signature: Signature::any(arguments, Volatility::Immutable) });
        if work == Work::Kind { function.with_aliases(["json_typeof"]) } else { function }
    })
}

/// `a ? 'key'`
pub(super) fn has() -> ScalarUDF {
    ScalarUDF::from(OfValues { work: Work::Has, signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    Joined,
    Same,
    Has,
    Kind,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfValues {
    work: Work,
    signature: Signature,
}

impl ScalarUDFImpl for OfValues {
    fn name(&self) -> &str {
        match self.work {
            Work::Joined => JOINED,
            Work::Same => SAME,
            Work::Has => "tracewell_json_has",
            Work::Kind => "jsonb_typeof",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // A list can be cast to a text, but to one that is no JSON.
        if let Some(other) = types.iter().find(|given| !given.is_string() && !given.is_null()) {
            return plan_err!("what is read as JSON is text, not {other}");
        }
        Ok(match self.work {
            Work::Same | Work::Has => DataType::Boolean,
            Work::Joined | Work::Kind => DataType::Utf8View,
        })
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.name(), self.return_type(&types)?, true);
        Ok(Arc::new(if self.work == Work::Joined { field.with_metadata(json_field_metadata()) } else { field }))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = |value: &ColumnarValue| text(value, arguments.number_rows);
        let values = arguments.args.iter().map(texts).collect::<Result<Vec<_>>>()?;
        let done: ArrayRef = match (self.work, values.as_slice()) {
            (Work::Joined, [left, right]) => {
                let pairs = left.as_string_view().iter().zip(right.as_string_view());
                let joined = pairs.map(|(left, right)| left.zip(right).map(|(left, right)| joined(left, right)));
                Arc::new(joined.map(Option::transpose).collect::<Result<StringViewArray>>()?)
            }
            (Work::Same, [left, right]) => {
                let pairs = left.as_string_view().iter().zip(right.as_string_view());
                Arc::new(pairs.map(|(left, right)| same(left?, right?)).collect::<BooleanArray>())
            }
            (Work::Has, [json, key]) => {
                let pairs = json.as_string_view().iter().zip(key.as_string_view());
                Arc::new(pairs.map(|(json, key)| Some(is_in(key?, json?))).collect::<BooleanArray>())
            }
            (Work::Kind, [json]) => {
                Arc::new(json.as_string_view().iter().map(|json| kind(json?)).collect::<StringViewArray>())
            }
            _ => return plan_err!("{} takes JSON", self.name()),
        };
        Ok(ColumnarValue::Array(done))
    }
}

/// What two texts of JSON make together: the members of two objects, where the second has the last word, else an array
/// with the items of both, to which what is no array is one item.
fn joined(left: &str, right: &str) -> Result<String> {
    if begins(left) == Some('{') && begins(right) == Some('{') {
        let mut members: BTreeMap<String, &RawValue> = read(left)?;
        members.extend(read::<BTreeMap<String, &RawValue>>(right)?);
        write(&members)
    } else {
        let (mut all, more) = (items(left)?, items(right)?);
        all.extend(more);
        write(&all)
    }
}

pub(super) fn write(json: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(json).or_else(|error| exec_err!("JSON cannot be written: {error}"))
}

fn items(json: &str) -> Result<Vec<&RawValue>> {
    if begins(json) == Some('[') { read(json) } else { Ok(vec![read(json)?]) }
}

/// Whether two texts of JSON are one value: blanks, the order of members and zeros behind a point do not matter. `None`
/// where either is no JSON.
fn same(left: &str, right: &str) -> Option<bool> {
    Some(is_same(&read(left).ok()?, &read(right).ok()?))
}

fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| is_same(value, other)))
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Number(left), Value::Number(right)) => is_number(left, right),
        (left, right) => left == right,
    }
}

/// Whether JSON is an object with this member, an array with this text, or this text.
fn is_in(key: &str, json: &str) -> bool {
    match read::<Value>(json) {
        Ok(Value::Object(members)) => members.contains_key(key),
        Ok(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(key)),
        Ok(value) => value.as_str() == Some(key),
        Err(_) => false,
    }
}

/// What PostgreSQL calls such a value.
fn kind(json: &str) -> Option<&'static str> {
    read::<&RawValue>(json).ok()?;
    Some(match begins(json) {
        Some('{') => "object",
        Some('[') => "array",
        Some('"') => "string",
        Some('t' | 'f') => "boolean",
        Some('n') => "null",
        _ => "number",
    })
}

pub(super) fn begins(json: &str) -> Option<char> {
    json.trim_start().chars().next()
}

pub(super) fn read<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T> {
    serde_json::from_str(json)
        .or_else(|_| exec_err!("a text is no JSON: {}", json.chars().take(100).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL answers, without its blanks.
    #[test]
    fn objects_are_merged_and_arrays_go_on() {
        for (left, right, expected) in [
            (r#"{"a":1,"b":1.0}"#, r#" {"b":{"x":2},"c":3}"#, r#"{"a":1,"b":{"x":2},"c":3}"#),
            ("[1,2]", "[3]", "[1,2,3]"),
            ("[1]", "2", "[1,2]"),
            (r#"{"a":1}"#, "[2]", r#"[{"a":1},2]"#),
            ("1", "\"x\"", r#"[1,"x"]"#),
            ("12345678901234567890.5", "[]", "[12345678901234567890.5]"),
        ] {
            assert_eq!(joined(left, right).unwrap(), expected, "{left} {right}");
        }
        assert!(joined("{", "{}").unwrap_err().to_string().contains("no JSON: {"));
    }

    #[test]
    fn values_are_compared_not_texts() {
        for (left, right, expected) in [
            (r#"{"a": 1, "b": [1, 2]}"#, r#"{"b":[1.0,2],"a":1}"#, true),
            ("[1,2]", "[2,1]", false),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#, false),
            ("\"1\"", "1", false),
        ] {
            assert_eq!(same(left, right), Some(expected), "{left} {right}");
        }
        let found = [r#"{"a":1}"#, r#"["b","a"]"#, "\"a\"", r#"{"b":"a"}"#, "[1]", "a"].map(|json| is_in("a", json));
        assert_eq!(found, [true, true, true, false, false, false]);
        let kinds = ["{}", " [1]", "\"x\"", "-1", "true", "null"].map(|json| kind(json).unwrap());
        assert_eq!(kinds, ["object", "array", "string", "number", "boolean", "null"]);
        assert_eq!((kind("nope"), same("nope", "1")), (None, None));
    }
}
