//! One scalar, wherever it stood: an attribute, or a member of the JSON inside one.
//!
//! Dialects disagree on types: a count comes as int, double or text, a flag as `"True"`, a list as JSON text, and
//! MLflow quotes every string once more. Reading is lenient; what was sent stays in the attributes.

use std::borrow::Cow;

use tracewell_otlp::AnyValue;

use crate::json;

/// A value that was found.
#[derive(Clone, Debug)]
pub(crate) enum Scalar<'a> {
    /// The value of an attribute.
    Any(AnyValue<'a>),
    /// JSON text.
    Json(Cow<'a, str>),
}

/// What emitters write for "nothing": Python's and JavaScript's nulls, and empty containers.
fn says_nothing(text: &str) -> bool {
    text.len() <= 6 && matches!(text, "" | "None" | "none" | "null" | "[]" | "{}" | "\"\"" | "\"None\"" | "\"none\"")
}

impl<'a> Scalar<'a> {
    /// Whether it says nothing. Zero says something.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Any(AnyValue::Empty) => true,
            Self::Any(AnyValue::Str(text)) => says_nothing(text.trim_ascii()),
            Self::Any(AnyValue::Array(array)) => array.iter().next().is_none(),
            Self::Any(AnyValue::KvList(list)) => list.iter().next().is_none(),
            Self::Any(_) => false,
            Self::Json(raw) => says_nothing(raw),
        }
    }

    /// As text; a string that is itself a JSON string is decoded once more.
    pub(crate) fn text(&self) -> Cow<'a, str> {
        match self.verbatim() {
            Cow::Borrowed(text) => decoded(text),
            Cow::Owned(text) => match decoded(&text) {
                Cow::Borrowed(_) => Cow::Owned(text),
                Cow::Owned(text) => Cow::Owned(text),
            },
        }
    }

    /// As text, quotes included.
    pub(crate) fn verbatim(&self) -> Cow<'a, str> {
        match self {
            Self::Any(AnyValue::Str(text)) => Cow::Borrowed(text),
            Self::Any(AnyValue::Int(number)) => Cow::Owned(number.to_string()),
            Self::Any(AnyValue::Double(number)) => Cow::Owned(number.to_string()),
            Self::Any(AnyValue::Bool(flag)) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Any(value) => {
                let mut text = String::new();
                value.write_json(&mut text);
                Cow::Owned(text)
            }
            Self::Json(Cow::Borrowed(raw)) => json::string(raw).unwrap_or(Cow::Borrowed(raw)),
            Self::Json(Cow::Owned(raw)) => Cow::Owned(json::string(raw).map_or_else(|| raw.clone(), Cow::into_owned)),
        }
    }

    /// As a whole number: an int, a double without fraction, or text that spells either.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Any(AnyValue::Int(number)) => Some(*number),
            Self::Any(AnyValue::Double(number)) => whole(*number),
            _ => {
                let text = self.text();
                let text = text.trim_ascii();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
        }
    }

    /// As a finite number.
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Any(AnyValue::Int(number)) => Some(*number as f64),
            Self::Any(AnyValue::Double(number)) => Some(*number),
            _ => self.text().trim_ascii().parse().ok(),
        }
        .filter(|number| number.is_finite())
    }

    /// As a flag: a bool, or text in any case.
    pub(crate) fn bool(&self) -> Option<bool> {
        match self {
            Self::Any(AnyValue::Bool(flag)) => Some(*flag),
            _ => {
                let text = self.text();
                let says = |word| text.trim_ascii().eq_ignore_ascii_case(word);
                if says("true") { Some(true) } else { says("false").then_some(false) }
            }
        }
    }

    /// As a list of texts: an array, a JSON array in a string, or one text.
    pub(crate) fn list(&self) -> Vec<Cow<'a, str>> {
        if let Self::Any(AnyValue::Array(array)) = self {
            return array.iter().map(|item| Self::Any(item).text()).collect();
        }
        match self.json() {
            Some(Cow::Borrowed(raw)) if raw.trim_ascii_start().starts_with('[') => {
                json::elements(raw).map(|item| Self::Json(Cow::Borrowed(item)).text()).collect()
            }
            Some(Cow::Owned(raw)) if raw.trim_ascii_start().starts_with('[') => json::elements(&raw)
                .map(|item| Cow::Owned(Scalar::Json(Cow::Borrowed(item)).text().into_owned()))
                .collect(),
            _ => vec![self.text()],
        }
    }

    /// As the JSON text of an object or array: text that is one (quoted once more or not), a map, or a list.
    pub(crate) fn json(&self) -> Option<Cow<'a, str>> {
        let text = match self {
            Self::Json(Cow::Borrowed(raw)) if raw.starts_with(['{', '[']) => Cow::Borrowed(*raw),
            Self::Any(AnyValue::Str(_) | AnyValue::KvList(_) | AnyValue::Array(_)) | Self::Json(_) => self.text(),
            Self::Any(_) => return None,
        };
        let start = text.trim_ascii_start();
        if start.starts_with("{'") {
            return Some(Cow::Owned(json_of_repr(&text)));
        }
        start.starts_with(['{', '[']).then_some(text)
    }
}

/// The text inside a JSON string, or the text itself.
fn decoded(text: &str) -> Cow<'_, str> {
    let quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    let whole = || json::is_complete(text).then(|| json::string(text)).flatten();
    quoted.then(whole).flatten().unwrap_or(Cow::Borrowed(text))
}

fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64)
}

/// JSON for the `repr` of a Python dict of numbers and plain words, as LiteLLM and LangSmith write token counts.
fn json_of_repr(repr: &str) -> String {
    repr.replace('\'', "\"").replace(": None", ": null").replace(": True", ": true").replace(": False", ": false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Scalar<'_> {
        Scalar::Any(AnyValue::Str(text))
    }

    #[test]
    fn numbers_come_in_every_type() {
        for value in [
            Scalar::Any(AnyValue::Int(256)),
            Scalar::Any(AnyValue::Double(256.0)),
            text("256"),
            text("\"256\""),
            text("256.0"),
        ] {
            assert_eq!(value.int(), Some(256), "{value:?}");
        }
        for value in
            [Scalar::Any(AnyValue::Double(0.5)), text("Infinity"), text("many"), Scalar::Any(AnyValue::Bool(true))]
        {
            assert_eq!(value.int(), None, "{value:?}");
        }
        assert_eq!(text("0.2").float(), Some(0.2));
        assert_eq!(text("Infinity").float(), None);
    }

    #[test]
    fn flags_come_as_words() {
        assert_eq!(
            [text("True").bool(), text("\"false\"").bool(), text("yes").bool()],
            [Some(true), Some(false), None]
        );
        assert_eq!(Scalar::Any(AnyValue::Bool(false)).bool(), Some(false));
    }

    #[test]
    fn a_string_may_be_encoded_once_more() {
        assert_eq!(text("\"CHAT_MODEL\"").text(), "CHAT_MODEL");
        assert_eq!(text("say \"hi\"").text(), "say \"hi\"");
        assert_eq!(text("\"a\" and \"b\"").text(), "\"a\" and \"b\"");
        assert_eq!(text("\"{\\\"a\\\":1}\"").json().as_deref(), Some("{\"a\":1}"));
        assert_eq!(text("{'a': None, 'b': {'c': 1}}").json().as_deref(), Some("{\"a\": null, \"b\": {\"c\": 1}}"));
    }

    #[test]
    fn lists_come_as_json_or_alone() {
        assert_eq!(text("[\"stop\"]").list(), ["stop"]);
        assert_eq!(text("\"[\\\"stop\\\"]\"").list(), ["stop"]);
        assert_eq!(text("FinishReason.STOP").list(), ["FinishReason.STOP"]);
    }

    #[test]
    fn placeholders_say_nothing_and_zero_says_something() {
        for nothing in ["", " ", "None", "none", "null", "[]", "{}", "\"\""] {
            assert!(text(nothing).is_empty(), "{nothing}");
        }
        assert!(!text("0").is_empty());
        assert!(!Scalar::Any(AnyValue::Int(0)).is_empty());
        assert!(Scalar::Json(Cow::Borrowed("null")).is_empty());
    }
}
