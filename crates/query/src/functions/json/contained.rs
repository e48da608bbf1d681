//! `a @> b`: whether one JSON value is part of another, as PostgreSQL's `jsonb` has it
//! (<https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT>).

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde_json::{Number, Value};

use super::super::scalars::text;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Contains(Signature::any(2, Volatility::Immutable)))
}

/// `tracewell_json_within(whole, part)`: NULL where either is no JSON.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Contains(Signature);

impl ScalarUDFImpl for Contains {
    fn name(&self) -> &str {
        "tracewell_json_within"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [whole, part] = take_function_args(self.name(), &arguments.args)?;
        let (wholes, parts) = (text(whole, arguments.number_rows)?, text(part, arguments.number_rows)?);
        // One part for many rows is the rule.
        let mut known: (&str, Option<Value>) = ("", None);
        let pairs = wholes.as_string_view().iter().zip(parts.as_string_view());
        let found: BooleanArray = pairs
            .map(|(whole, part)| {
                let (whole, part) = (whole?, part?);
                if known.0 != part {
                    known = (part, serde_json::from_str(part).ok());
                }
                let whole: Value = serde_json::from_str(whole).ok()?;
                Some(is_part(known.1.as_ref()?, &whole, true))
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

fn is_part(part: &Value, whole: &Value, outermost: bool) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|found| is_part(value, found, false)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|item| whole.iter().any(|found| is_part(item, found, false)))
        }
        // An array has what is no array as a part of it, but only by itself.
        (Value::Object(_), Value::Array(_)) => false,
        (part, Value::Array(whole)) if outermost => whole.iter().any(|found| is_part(part, found, false)),
        (Value::Number(part), Value::Number(whole)) => is_number(part, whole),
        (part, whole) => part == whole,
    }
}

/// Whether two numbers are one, with a point or without.
pub(super) fn is_number(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Examples of PostgreSQL's documentation, and what its server answers.
    #[test]
    fn a_part_is_found_at_any_place_of_an_array_and_at_its_own_of_an_object() {
        for (whole, part, expected) in [
            (json!([1, 2, 3]), json!([1, 3]), true),
            (json!([1, 2, 3]), json!([1, 2, 2]), true),
            (json!([1, 2, [1, 3]]), json!([1, 3]), false),
            (json!([1, 2, [1, 3]]), json!([[1, 3]]), true),
            (json!({"product": "x", "version": 9.4}), json!({"version": 9.4}), true),
            (json!({"foo": {"bar": "baz"}}), json!({"bar": "baz"}), false),
            (json!({"foo": {"bar": "baz", "a": 1}}), json!({"foo": {}}), true),
            (json!(["foo", "bar"]), json!("bar"), true),
            (json!("bar"), json!(["bar"]), false),
            (json!({"a": ["b"]}), json!({"a": "b"}), false),
            (json!([{"a": 1}]), json!({"a": 1}), false),
            (json!({"a": 1}), json!({"a": 1.0}), true),
            (json!({"a": null}), json!({"a": null}), true),
            (json!({}), json!({"a": null}), false),
        ] {
            assert_eq!(is_part(&part, &whole, true), expected, "{whole} {part}");
        }
    }
}
