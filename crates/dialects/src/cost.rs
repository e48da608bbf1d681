//! What the application says a call cost.

use std::borrow::Cow;

use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::json;
use crate::value::Scalar;

/// The cost that the application reports, in US dollars as decimal text. OpenLIT, LiteLLM and Langfuse write zero where
/// they know no price, so zero is no cost.
pub(crate) fn reported<'a>(facts: &Facts<'_, 'a>) -> Option<Cow<'a, str>> {
    let cost = match facts.get(Field::Cost) {
        Some(found) => decimal(&found.value),
        None => of_parts(facts).map(Cow::Owned),
    };
    cost.filter(|cost| cost.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

/// An amount that is not below zero. A decimal is as sent; what has an exponent is written out in the shortest form
/// that reads back the same.
fn decimal<'a>(value: &Scalar<'a>) -> Option<Cow<'a, str>> {
    let number = value.float().filter(|number| *number >= 0.0)?;
    let text = value.text();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    Some(if plain { text } else { Cow::Owned(number.to_string()) })
}

/// What Langfuse itself takes for the total where `cost_details` has none (`calculateUsageCosts` of its ingestion): the
/// costs of input and output, and nothing where there are others, for those may be parts of these.
fn of_parts(facts: &Facts<'_, '_>) -> Option<String> {
    let details = Scalar::Any(facts.attribute("langfuse.observation.cost_details")?).json()?;
    let mut sum: Option<String> = None;
    for (name, raw) in json::members(&details) {
        let part = Scalar::Json(Cow::Borrowed(raw));
        if part.is_empty() {
            continue;
        }
        let part = decimal(&part).filter(|_| matches!(&*name, "input" | "output"))?;
        sum = Some(add(sum.as_deref().unwrap_or("0"), &part)?);
    }
    sum
}

/// Places of a sum: `u128` has as many digits.
const PLACES: usize = 38;

/// The sum of two decimals, exactly; `None` where it has too many digits.
fn add(one: &str, other: &str) -> Option<String> {
    let [one, other] = [one, other].map(|text| text.split_once('.').unwrap_or((text, "")));
    let places = one.1.len().max(other.1.len());
    // Texts are not padded to whatever width somebody sends, which panics beyond `u16`.
    if places > PLACES {
        return None;
    }
    let units = |(whole, part): (&str, &str)| format!("{whole}{part:0<places$}").parse::<u128>().ok();
    let sum = units(one)?.checked_add(units(other)?)?;
    let digits = format!("{sum:0>width$}", width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    Some(if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") })
}
