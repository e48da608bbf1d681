//! Answers that are JSON.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::text::shown;
use super::{RuleError, Score};
use crate::Answer;

/// How many violations of a schema are told.
const MOST_TOLD: usize = 3;

/// Makes a schema ready. Patterns in it run in linear time; nothing is fetched.
pub(super) fn schema(source: &Value) -> Result<Validator, RuleError> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(source)
        .map_err(|error| RuleError::Schema(error.to_string()))
}

pub(super) fn allowed(answered: &str, schema: &Validator, fenced: bool) -> Score {
    let value = match parse(answered, fenced) {
        Ok(value) => value,
        Err(reason) => return Score::verdict(false, reason),
    };
    let mut errors = schema.iter_errors(&value);
    let told: Vec<String> = errors
        .by_ref()
        .take(MOST_TOLD)
        .map(|error| {
            let place = error.instance_path().to_string();
            format!("{}: {error}", if place.is_empty() { "/" } else { &place })
        })
        .collect();
    match (told.is_empty(), errors.count()) {
        (true, _) => Score::verdict(true, "the schema allows it"),
        (false, 0) => Score::verdict(false, told.join("; ")),
        (false, more) => Score::verdict(false, format!("{}; and {more} more", told.join("; "))),
    }
}

/// Whether an answer has at `pointers` what is expected there, and nothing at those of `absent`.
pub(super) fn fields(
    answered: &str,
    expected: Option<&str>,
    pointers: &[String],
    absent: &[String],
    fenced: bool,
) -> Result<Score, String> {
    let expected = expected.map(|expected| parse(expected, fenced)).transpose();
    let expected = expected.map_err(|reason| format!("expected: {reason}"))?;
    let answered = match parse(answered, fenced) {
        Ok(value) => value,
        Err(reason) => return Ok(Score::share(0.0, Some(false), reason)),
    };
    let whole = [String::new()];
    let compared = if expected.is_none() || !pointers.is_empty() { pointers } else { &whole };
    let nothing = absent.iter().map(|pointer| (pointer, None));
    let wanted = compared.iter().map(|pointer| (pointer, expected.as_ref().and_then(|value| value.pointer(pointer))));
    let wrong = wanted.chain(nothing).filter_map(|(pointer, wanted)| {
        let is = answered.pointer(pointer);
        let is_right = match (is, wanted) {
            (Some(is), Some(wanted)) => equal(is, wanted),
            (None, None) => true,
            _ => false,
        };
        let text = |value: Option<&Value>| value.map_or("nothing".to_owned(), |value| shown(&value.to_string()));
        let place: &str = if pointer.is_empty() { "/" } else { pointer };
        (!is_right).then(|| format!("{place}: {} instead of {}", text(is), text(wanted)))
    });
    let wrong: Vec<String> = wrong.collect();
    let share = 1.0 - wrong.len() as f64 / (compared.len() + absent.len()) as f64;
    let explanation = match (wrong.is_empty(), compared.len(), absent.len()) {
        (false, ..) => wrong.join("; "),
        (true, equal, 0) => format!("{equal} equal"),
        (true, 0, absent) => format!("{absent} absent"),
        (true, equal, absent) => format!("{equal} equal, {absent} absent"),
    };
    Ok(Score::share(share, Some(wrong.is_empty()), explanation))
}

/// The pointers that lead nowhere in all of the expected answers that are JSON; none where none is.
pub(super) fn absent<'p>(pointers: &'p [String], fenced: bool, expected: &[&Answer]) -> Vec<&'p str> {
    let texts = expected.iter().filter_map(|answer| answer.text.as_deref());
    let values: Vec<Value> = texts.filter_map(|text| parse(text, fenced).ok()).collect();
    let leads_nowhere =
        |pointer: &str| !values.is_empty() && values.iter().all(|value| value.pointer(pointer).is_none());
    pointers.iter().map(String::as_str).filter(|pointer| leads_nowhere(pointer)).collect()
}

/// Whether both say the same: numbers by value (`1` is `1.0`), objects whatever the order of their members.
pub(super) fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64() && !both_whole(one, other)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| equal(one, other)))
        }
        _ => one == other,
    }
}

/// Whole numbers are compared as such: as floats, large neighbours would be equal.
fn both_whole(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    !one.is_f64() && !other.is_f64()
}

fn parse(text: &str, fenced: bool) -> Result<Value, String> {
    let text = if fenced { unfenced(text) } else { text };
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}: {}", shown(text)))
}

/// What stands in the fence, where there is one.
pub(crate) fn unfenced(text: &str) -> &str {
    let inside = text.trim().strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inside.and_then(|rest| rest.split_once('\n')).map_or(text, |(_, inside)| inside)
}
