//! `format('%s %I %L', …)`: texts put together by a pattern, as PostgreSQL does.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, plan_err, resources_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// Letters that one value may be filled up to.
const MOST_WIDTH: usize = 10_000;

/// Bytes that one batch of texts may have.
const MOST: usize = 256 << 20;

/// Words that are no names without quotes.
const RESERVED: [&str; 44] = [
    "all", "and", "any", "array", "as", "asc", "both", "case", "cast", "check", "collate", "column", "create",
    "default", "desc", "distinct", "do", "else", "end", "except", "false", "for", "from", "grant", "group", "having",
    "in", "into", "limit", "not", "null", "offset", "on", "or", "order", "select", "table", "then", "true", "union",
    "user", "using", "when", "where",
];

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Format(Signature::variadic_any(Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Format(Signature);

impl ScalarUDFImpl for Format {
    fn name(&self) -> &str {
        "format"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let texts =
            |value: &ColumnarValue| -> Result<ArrayRef> { Ok(cast(&value.to_array(rows)?, &DataType::Utf8View)?) };
        let columns = arguments.args.iter().map(texts).collect::<Result<Vec<_>>>()?;
        let Some((patterns, values)) = columns.split_first() else { return plan_err!("format takes a pattern") };
        let (mut written, mut left) = (StringViewBuilder::new(), MOST);
        for row in 0..rows {
            let given = |values: &ArrayRef| values.is_valid(row);
            if !given(patterns) {
                written.append_null();
                continue;
            }
            let values: Vec<Option<&str>> =
                values.iter().map(|values| given(values).then(|| values.as_string_view().value(row))).collect();
            let text = filled(patterns.as_string_view().value(row), &values, left)?;
            left = left.saturating_sub(text.len());
            written.append_value(text);
        }
        Ok(ColumnarValue::Array(Arc::new(written.finish())))
    }
}

/// The pattern with the values in their places: `%[position$][-][width]` and `s`, `I` or `L`; of `most` bytes.
fn filled(pattern: &str, values: &[Option<&str>], most: usize) -> Result<String> {
    let (mut filled, mut rest, mut last) = (String::new(), pattern, 0);
    while let Some((before, place)) = rest.split_once('%') {
        filled.push_str(before);
        if let Some(behind) = place.strip_prefix('%') {
            filled.push('%');
            rest = behind;
            continue;
        }
        let (position, place) = match number(place) {
            (Some(position), behind) if behind.starts_with('$') => (position, &behind[1..]),
            _ => (last + 1, place),
        };
        last = position;
        let to_the_left = place.starts_with('-');
        let (width, place) = number(place.trim_start_matches('-'));
        let mut letters = place.chars();
        let kind = letters.next();
        rest = letters.as_str();
        let Some(value) = position.checked_sub(1).and_then(|position| values.get(position)) else {
            return exec_err!("format: there is no value {position} for the pattern");
        };
        let text = match (kind, *value) {
            (Some('s'), value) => Cow::Borrowed(value.unwrap_or_default()),
            (Some('L'), Some(value)) => literal(value),
            (Some('L'), None) => Cow::Borrowed("NULL"),
            (Some('I'), Some(value)) => name(value),
            (Some('I'), None) => return exec_err!("format: NULL is no name for %I"),
            _ => return exec_err!("format: behind % stands s, I or L; %% is a single one"),
        };
        let width = width.unwrap_or(0);
        if width > MOST_WIDTH {
            return exec_err!("format: a width is {MOST_WIDTH} at most");
        }
        let blanks = width.saturating_sub(text.chars().count());
        if filled.len() + blanks + text.len() + rest.len() > most {
            return resources_err!("format would make more than {MOST} bytes at once; ask for less, or for fewer rows");
        }
        let (before, behind) = if to_the_left { (0, blanks) } else { (blanks, 0) };
        filled.extend(std::iter::repeat_n(' ', before));
        filled.push_str(&text);
        filled.extend(std::iter::repeat_n(' ', behind));
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The number that a text begins with, and what stands behind it.
fn number(text: &str) -> (Option<usize>, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].parse().ok(), &text[end..])
}

fn literal(value: &str) -> Cow<'_, str> {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') {
        return Cow::Owned(format!("E'{}'", quoted.replace('\\', "\\\\")));
    }
    Cow::Owned(format!("'{quoted}'"))
}

fn name(value: &str) -> Cow<'_, str> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '$');
    let begins = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    if value.starts_with(begins) && value.chars().all(plain) && !RESERVED.contains(&value) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("\"{}\"", value.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL answers.
    #[test]
    fn values_stand_in_their_places_with_their_quotes() {
        let filled =
            |pattern: &str, values: &[Option<&str>]| filled(pattern, values, 64).map_err(|error| error.to_string());
        let abc = [Some("a"), Some("b"), Some("c"), Some("Ab")];
        assert_eq!(filled("%s|%5s|%-5s|%%|%2$s|%4$I", &abc).as_deref(), Ok("a|    b|c    |%|b|\"Ab\""));
        assert_eq!(filled("%I %I", &[Some("a_1"), Some("select")]).as_deref(), Ok("a_1 \"select\""));
        assert_eq!(filled("%L %L %s.", &[Some("x'y"), None, None]).as_deref(), Ok("'x''y' NULL ."));
        assert_eq!(filled("%L", &[Some("a\\b")]).as_deref(), Ok("E'a\\\\b'"));
        assert_eq!(filled("größe", &[]).as_deref(), Ok("größe"));
        for (pattern, told) in [
            ("%s %s", "no value 2"),
            ("%d", "s, I or L"),
            ("%", "s, I or L"),
            ("%0$s", "no value 0"),
            ("%99999s", "10000 at most"),
            ("%1$30s%1$40s", "at once"),
        ] {
            assert!(filled(pattern, &[Some("a")]).unwrap_err().contains(told), "{pattern}");
        }
        assert!(filled("%I", &[None]).unwrap_err().contains("no name"));
    }
}
