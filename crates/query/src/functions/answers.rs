//! `message_text(content)`, `json_schema_valid(text, schema)` and `word_overlap(answer, source)`: what answers are judged
//! by.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BooleanArray, Float64Array, StringViewArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::scalars::text;

pub(super) fn functions() -> [ScalarUDF; 3] {
    [
        ScalarUDF::from(MessageText(Signature::any(1, Volatility::Immutable))),
        ScalarUDF::from(SchemaValid(Signature::any(2, Volatility::Immutable))),
        ScalarUDF::from(Overlap(Signature::any(2, Volatility::Immutable))),
    ]
}

/// `message_text(content)`: the words of a message of any dialect as it is kept in `contents`, with its first tool call
/// as `name(arguments)`. NULL when it has neither.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MessageText(Signature);

impl ScalarUDFImpl for MessageText {
    fn name(&self) -> &str {
        "message_text"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [content] = take_function_args(self.name(), &arguments.args)?;
        let contents = text(content, arguments.number_rows)?;
        let words = contents.as_string_view().iter().map(|content| tracewell_dialects::message_text(content?));
        Ok(ColumnarValue::Array(Arc::new(words.collect::<StringViewArray>())))
    }
}

/// `json_schema_valid(text, schema)`: whether a text is JSON that a JSON schema allows. The schema stands by itself, or
/// in the `response_format` of OpenAI's API. NULL when it is no schema. Nothing it refers to is fetched.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SchemaValid(Signature);

impl ScalarUDFImpl for SchemaValid {
    fn name(&self) -> &str {
        "json_schema_valid"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [answer, schema] = take_function_args(self.name(), &arguments.args)?;
        let (answers, schemas) = (text(answer, arguments.number_rows)?, text(schema, arguments.number_rows)?);
        // One schema for many answers is the rule.
        let mut known: (&str, Option<Validator>) = ("", None);
        let pairs = answers.as_string_view().iter().zip(schemas.as_string_view());
        let allowed: BooleanArray = pairs
            .map(|(answer, schema)| {
                let (answer, schema) = (answer?, schema?);
                if known.0 != schema {
                    known = (schema, validator(schema));
                }
                let validator = known.1.as_ref()?;
                Some(serde_json::from_str::<Value>(answer).is_ok_and(|answer| validator.is_valid(&answer)))
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(allowed)))
    }
}

fn validator(schema: &str) -> Option<Validator> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let within =
        schema.pointer("/json_schema/schema").or_else(|| schema.get("schema").filter(|inner| inner.is_object()));
    let schema = within.unwrap_or(&schema);
    // A response format that only asks for JSON is no schema.
    let is_schema = ["type", "properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"]
        .iter()
        .any(|key| schema.get(key).is_some())
        && !matches!(schema["type"].as_str(), Some("json_object" | "json_schema" | "text" | "json"));
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    is_schema.then(|| options.build(schema).ok()).flatten()
}

/// `word_overlap(answer, source)`: the part of the distinct words of `answer` of at least four letters that stand in
/// `source` too, in upper or lower case. NULL when it has none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Overlap(Signature);

impl ScalarUDFImpl for Overlap {
    fn name(&self) -> &str {
        "word_overlap"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [answer, source] = take_function_args(self.name(), &arguments.args)?;
        let (answers, sources) = (text(answer, arguments.number_rows)?, text(source, arguments.number_rows)?);
        let pairs = answers.as_string_view().iter().zip(sources.as_string_view());
        let shares: Float64Array = pairs.map(|(answer, source)| overlap(answer?, source?)).collect();
        Ok(ColumnarValue::Array(Arc::new(shares)))
    }
}

/// Words with fewer letters are mostly grammar.
const WORD_LETTERS: usize = 4;

fn overlap(answer: &str, source: &str) -> Option<f64> {
    let (answer, source) = (words(answer), words(source));
    (!answer.is_empty()).then(|| answer.intersection(&source).count() as f64 / answer.len() as f64)
}

fn words(text: &str) -> HashSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| word.chars().count() >= WORD_LETTERS).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_counts_distinct_long_words() {
        // "refunds", "take", "five", "days": three of four.
        assert_eq!(overlap("Refunds take five days, five!", "Our refunds TAKE up to 5 days."), Some(0.75));
        assert_eq!(overlap("Yes, I do", "anything"), None);
    }

    #[test]
    fn a_schema_is_found_in_what_apis_are_sent() {
        let plain = r#"{"type": "object", "required": ["a"]}"#;
        for schema in [
            plain.to_owned(),
            format!(r#"{{"type": "json_schema", "json_schema": {{"name": "x", "schema": {plain}}}}}"#),
            format!(r#"{{"type": "json_schema", "name": "x", "schema": {plain}}}"#),
        ] {
            let validator = validator(&schema).unwrap();
            assert!(validator.is_valid(&serde_json::json!({"a": 1})) && !validator.is_valid(&serde_json::json!({})));
        }
        for none in [r#"{"type": "json_object"}"#, "json", "{}", r#"{"type": "nothing of the kind"}"#] {
            assert!(validator(none).is_none(), "{none}");
        }
    }
}
