//! `tracewell_mapped(key)`, `tracewell_mapped_in_log(dialect, event, key)`, `tracewell_member(json, name, …)`, which is
//! `json_get` too, `json_valid(text)` and `tracewell_digest(value, …)`.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, resources_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde_json::Value;

pub(super) fn functions() -> [ScalarUDF; 5] {
    [
        ScalarUDF::from(Mapped(Signature::any(1, Volatility::Immutable))),
        ScalarUDF::from(MappedInLog(Signature::any(3, Volatility::Immutable))),
        ScalarUDF::from(Member(Signature::variadic_any(Volatility::Immutable))).with_aliases(["json_get"]),
        ScalarUDF::from(Valid(Signature::any(1, Volatility::Immutable))),
        ScalarUDF::from(Digest(Signature::variadic_any(Volatility::Immutable))),
    ]
}

/// Longer texts are not looked into: what is built of them is many times as large, and no limit of queries counts it.
const MOST_TEXT: usize = 16 << 20;

pub(super) fn text(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let texts = cast(&value.to_array(rows)?, &DataType::Utf8View)?;
    if let Some(long) = texts.as_string_view().lengths().find(|length| *length as usize > MOST_TEXT) {
        return resources_err!("a text of {long} bytes is compared or read as JSON; {MOST_TEXT} are allowed");
    }
    Ok(texts)
}

/// `tracewell_mapped(key)`: whether a span attribute of this name fills a column, or carries contents.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Mapped(Signature);

impl ScalarUDFImpl for Mapped {
    fn name(&self) -> &str {
        "tracewell_mapped"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [key] = take_function_args(self.name(), &arguments.args)?;
        let keys = text(key, arguments.number_rows)?;
        let mapped: BooleanArray =
            keys.as_string_view().iter().map(|key| key.map(tracewell_dialects::is_mapped)).collect();
        Ok(ColumnarValue::Array(Arc::new(mapped)))
    }
}

/// `tracewell_mapped_in_log(dialect, event, key)`: the same of an attribute of a log record.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MappedInLog(Signature);

impl ScalarUDFImpl for MappedInLog {
    fn name(&self) -> &str {
        "tracewell_mapped_in_log"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [dialect, event, key] = take_function_args(self.name(), &arguments.args)?;
        let [dialects, events, keys] = [
            text(dialect, arguments.number_rows)?,
            text(event, arguments.number_rows)?,
            text(key, arguments.number_rows)?,
        ];
        let words = dialects.as_string_view().iter().zip(events.as_string_view()).zip(keys.as_string_view());
        let mapped: BooleanArray = words
            .map(|((dialect, event), key)| Some(tracewell_dialects::is_mapped_in_log(dialect?, event?, key?)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(mapped)))
    }
}

/// `tracewell_member(json, name, …)`: the first of the named members of a JSON object that is there, as text. A name
/// is that of a member, or a path of names with dots between. NULL when there is none or `json` is no object.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Member(Signature);

impl ScalarUDFImpl for Member {
    fn name(&self) -> &str {
        "tracewell_member"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns =
            arguments.args.iter().map(|value| text(value, arguments.number_rows)).collect::<Result<Vec<_>>>()?;
        let Some((json, names)) = columns.split_first() else {
            return datafusion::common::plan_err!("tracewell_member takes JSON text and the names of members");
        };
        let json = json.as_string_view();
        let found: StringViewArray = (0..json.len())
            .map(|row| {
                let object: Value = json.is_valid(row).then(|| serde_json::from_str(json.value(row)).ok())??;
                names
                    .iter()
                    .filter(|names| names.is_valid(row))
                    .find_map(|names| member(&object, names.as_string_view().value(row)))
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

fn member(object: &Value, name: &str) -> Option<String> {
    let found = object.get(name).or_else(|| name.split('.').try_fold(object, |object, name| object.get(name)))?;
    match found {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        other => Some(Cow::Owned(other.to_string())),
    }
    .map(Cow::into_owned)
}

/// `json_valid(text)`: whether a text is one JSON value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Valid(Signature);

impl ScalarUDFImpl for Valid {
    fn name(&self) -> &str {
        "json_valid"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), &arguments.args)?;
        let texts = text(value, arguments.number_rows)?;
        let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let valid: BooleanArray = texts.as_string_view().iter().map(|text| text.map(is_json)).collect();
        Ok(ColumnarValue::Array(Arc::new(valid)))
    }
}

/// `tracewell_digest(value, …)`: a number that follows from the values alone. It gives rows that nothing else tells
/// apart one order, however they arrived.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Digest(Signature);

impl ScalarUDFImpl for Digest {
    fn name(&self) -> &str {
        "tracewell_digest"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let columns = arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let mut hashes = vec![0; rows];
        create_hashes(&columns, &RandomState::with_seed(0), &mut hashes)?;
        let digests: Int64Array = hashes.into_iter().map(u64::cast_signed).collect::<Vec<_>>().into();
        Ok(ColumnarValue::Array(Arc::new(digests)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_by_its_name_and_by_its_path() {
        let object = serde_json::json!({"document.id": "a", "metadata": {"score": 0.5, "id": null}, "text": "t"});
        assert_eq!(member(&object, "document.id").as_deref(), Some("a"));
        assert_eq!(member(&object, "metadata.score").as_deref(), Some("0.5"));
        assert_eq!(member(&object, "metadata.id"), None);
        assert_eq!(member(&object, "text.x"), None);
    }
}
