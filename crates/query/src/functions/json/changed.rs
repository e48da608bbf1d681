//! `jsonb_set(json, path, value)`, and what `jsonb_array_elements_text(json)` is a row for each item of.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringBuilder, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion_functions_json::json_field_metadata;
use serde_json::value::RawValue;
use tracewell_requests::postgres::parameters::list;

use super::super::scalars::text;
use super::values::{begins, read, write};

/// What gives the items of an array as texts.
pub(crate) const ITEMS: &str = "tracewell_json_texts";

/// Steps of a path: at each one the rest of the text is read again.
const MOST_STEPS: usize = 32;

pub(super) fn functions() -> [ScalarUDF; 2] {
    let set = TypeSignature::OneOf(vec![TypeSignature::Any(3), TypeSignature::Any(4)]);
    [
        ScalarUDF::from(Set(Signature::new(set, Volatility::Immutable))),
        ScalarUDF::from(Items(Signature::any(1, Volatility::Immutable))),
    ]
}

/// `jsonb_set(json, path, value, create)`: JSON with a value at a path, which is a list or a text as `{a,0}`. Where
/// there is none it is added, unless `create` is false.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Set(Signature);

impl ScalarUDFImpl for Set {
    fn name(&self) -> &str {
        "jsonb_set"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let is_text = |given: &DataType| given.is_string() || given.is_null();
        let is_path =
            |given: &DataType| is_text(given) || matches!(given, DataType::List(item) if is_text(item.data_type()));
        match types {
            [json, path, value, ..] if is_text(json) && is_path(path) && is_text(value) => Ok(DataType::Utf8View),
            _ => plan_err!("jsonb_set takes JSON, a path such as '{{a,0}}', and JSON"),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.name(), self.return_type(&types)?, true);
        Ok(Arc::new(field.with_metadata(json_field_metadata())))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [json, path, value, create @ ..] = arguments.args.as_slice() else {
            return plan_err!("jsonb_set takes JSON, a path and JSON");
        };
        let (json, values, paths) = (text(json, rows)?, text(value, rows)?, path.to_array(rows)?);
        let flags =
            |value: &ColumnarValue| -> Result<ArrayRef> { Ok(cast(&value.to_array(rows)?, &DataType::Boolean)?) };
        let creates = create.first().map(flags).transpose()?;
        let done = (0..rows).map(|row| {
            let creates = match &creates {
                Some(creates) => creates.is_valid(row).then(|| creates.as_boolean().value(row)),
                None => Some(true),
            };
            let (true, true, Some(path), Some(creates)) =
                (json.is_valid(row), values.is_valid(row), steps(&paths, row)?, creates)
            else {
                return Ok(None);
            };
            let (json, value) = (json.as_string_view().value(row), values.as_string_view().value(row));
            if !matches!(begins(json), Some('{' | '[')) {
                read::<&RawValue>(json)?;
                return exec_err!("jsonb_set takes an object or an array");
            }
            set(json, &path, read(value)?, creates).map(Some)
        });
        Ok(ColumnarValue::Array(Arc::new(done.collect::<Result<StringViewArray>>()?)))
    }
}

/// The steps of a path; `None` of none.
fn steps(paths: &ArrayRef, row: usize) -> Result<Option<Vec<String>>> {
    if paths.is_null(row) || paths.data_type().is_null() {
        return Ok(None);
    }
    let steps: Option<Vec<String>> = if let DataType::List(_) = paths.data_type() {
        let steps = cast(&paths.as_list::<i32>().value(row), &DataType::Utf8View)?;
        steps.as_string_view().iter().map(|step| step.map(str::to_owned)).collect()
    } else {
        let path = cast(&paths.slice(row, 1), &DataType::Utf8View)?;
        list(path.as_string_view().value(0)).and_then(|steps| steps.into_iter().collect())
    };
    match steps {
        Some(steps) if steps.len() > MOST_STEPS => {
            exec_err!("a path of jsonb_set has {} steps; {MOST_STEPS} are allowed", steps.len())
        }
        Some(steps) => Ok(Some(steps)),
        None => exec_err!("a path of jsonb_set is a list of names and positions, such as '{{a,0}}'"),
    }
}

/// JSON with a value at a path. What is neither an object nor an array has no place for one, and stays.
fn set(json: &str, path: &[String], value: &RawValue, creates: bool) -> Result<String> {
    let Some((step, rest)) = path.split_first() else { return Ok(json.to_owned()) };
    let changed = |found: &RawValue| -> Result<Box<RawValue>> {
        if rest.is_empty() { Ok(value.to_owned()) } else { read(&set(found.get(), rest, value, creates)?) }
    };
    // What is below is copied on the way back only.
    let below: Box<RawValue>;
    match begins(json) {
        Some('{') => {
            let mut members: BTreeMap<String, &RawValue> = read(json)?;
            if let Some(found) = members.get_mut(step) {
                below = changed(found)?;
                *found = &below;
            } else if rest.is_empty() && creates {
                members.insert(step.clone(), value);
            }
            write(&members)
        }
        Some('[') => {
            let mut items: Vec<&RawValue> = read(json)?;
            let Ok(position) = step.parse::<i64>() else {
                return exec_err!("`{step:.100}` is no position in an array");
            };
            // From the end, where it is less than nothing.
            let from_begin = if position < 0 { position.saturating_add_unsigned(items.len() as u64) } else { position };
            let place = usize::try_from(from_begin).ok();
            if let Some(found) = place.and_then(|place| items.get_mut(place)) {
                below = changed(found)?;
                *found = &below;
            } else if rest.is_empty() && creates {
                items.insert(if place.is_none() { 0 } else { items.len() }, value);
            }
            write(&items)
        }
        _ => Ok(json.to_owned()),
    }
}

/// `tracewell_json_texts(json)`: the items of an array, texts without their quotes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Items(Signature);

impl ScalarUDFImpl for Items {
    fn name(&self) -> &str {
        ITEMS
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(other) if !other.is_string() && !other.is_null() => {
                plan_err!("what is read as JSON is text, not {other}")
            }
            _ => Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json] = arguments.args.as_slice() else { return plan_err!("{ITEMS} takes JSON") };
        let json = text(json, arguments.number_rows)?;
        let mut lists = ListBuilder::new(StringBuilder::new());
        for json in json.as_string_view().iter() {
            lists.append_option(json.and_then(texts));
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

fn texts(json: &str) -> Option<impl Iterator<Item = Option<Cow<'_, str>>>> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(items.into_iter().map(|item| match begins(item.get()) {
        Some('"') => serde_json::from_str::<String>(item.get()).ok().map(Cow::Owned),
        Some('n') => None,
        _ => Some(Cow::Borrowed(item.get())),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL answers, without its blanks.
    #[test]
    fn a_value_is_set_where_a_path_leads() {
        for (json, path, value, creates, expected) in [
            (r#"{"b":1.50,"a":1}"#, "{a}", "[2]", true, r#"{"a":[2],"b":1.50}"#),
            (r#"{"a":{"b":1}}"#, "{a,b}", "\"x\"", true, r#"{"a":{"b":"x"}}"#),
            (r#"{"a":1}"#, "{c}", "2", true, r#"{"a":1,"c":2}"#),
            (r#"{"a":1}"#, "{c}", "2", false, r#"{"a":1}"#),
            (r#"{"a":1}"#, "{c,d}", "2", true, r#"{"a":1}"#),
            (r#"{"a":1}"#, "{a,d}", "2", true, r#"{"a":1}"#),
            (r#"{"a":1}"#, "{}", "2", true, r#"{"a":1}"#),
            ("[1,[2]]", "{1,0}", "null", true, "[1,[null]]"),
            ("[1,2]", "{-1}", "3", true, "[1,3]"),
            ("[1,2]", "{7}", "3", true, "[1,2,3]"),
            ("[1,2]", "{-7}", "3", true, "[3,1,2]"),
            ("[1,2]", "{7}", "3", false, "[1,2]"),
        ] {
            let path: Vec<String> = list(path).unwrap().into_iter().map(Option::unwrap).collect();
            assert_eq!(set(json, &path, read(value).unwrap(), creates).unwrap(), expected, "{json} {path:?}");
        }
        assert!(set("[1]", &["a".to_owned()], read("1").unwrap(), true).is_err());
        // However deep what stands there is.
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let set_in = |path: &[String]| set(&deep, path, read("1").unwrap(), true).unwrap();
        assert_eq!(set_in(&["a".to_owned()]), r#"{"a":1}"#);
        assert_eq!(set_in(&["b".to_owned()]).len(), deep.len() + r#","b":1"#.len());
    }

    #[test]
    fn items_of_an_array_are_texts() {
        let found: Vec<Option<Cow<'_, str>>> = texts(r#"["a\n",1.50,null,{"b":1}]"#).unwrap().collect();
        let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, [Some("a\n"), Some("1.50"), None, Some(r#"{"b":1}"#)]);
        assert!(texts("{}").is_none() && texts("no").is_none());
    }
}
