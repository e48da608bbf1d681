//! `similarity(a, b)` and `text_diff(old, new)`: how near two texts are, and what was changed; and
//! `tracewell_cut(text, n)`, which `x::varchar(n)` is.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{AsArray, Float64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use similar::TextDiff;

use super::scalars::text;

/// After so long a difference is told in larger pieces.
const PATIENCE: Duration = Duration::from_millis(500);

/// What `x::varchar(n)` is read as.
pub(crate) const CUT: &str = "tracewell_cut";

pub(super) fn functions() -> [ScalarUDF; 3] {
    [
        ScalarUDF::from(Similarity(Signature::any(2, Volatility::Immutable))),
        ScalarUDF::from(Difference(Signature::any(2, Volatility::Immutable))),
        ScalarUDF::from(Cut(Signature::any(2, Volatility::Immutable))),
    ]
}

/// `similarity(a, b)`: the part of their trigrams that two texts share, from 0 to 1, as PostgreSQL's `pg_trgm` has it
/// (<https://www.postgresql.org/docs/current/pgtrgm.html>).
#[derive(Debug, PartialEq, Eq, Hash)]
struct Similarity(Signature);

impl ScalarUDFImpl for Similarity {
    fn name(&self) -> &str {
        "similarity"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [a, b] = take_function_args(self.name(), &arguments.args)?;
        let (a, b) = (text(a, arguments.number_rows)?, text(b, arguments.number_rows)?);
        let pairs = a.as_string_view().iter().zip(b.as_string_view());
        let shares: Float64Array = pairs.map(|(a, b)| Some(similarity(a?, b?))).collect();
        Ok(ColumnarValue::Array(Arc::new(shares)))
    }
}

/// `text_diff(old, new)`: the lines that differ, with three around them, as `diff -u` shows them; empty when none does.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Difference(Signature);

impl ScalarUDFImpl for Difference {
    fn name(&self) -> &str {
        "text_diff"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [old, new] = take_function_args(self.name(), &arguments.args)?;
        let (old, new) = (text(old, arguments.number_rows)?, text(new, arguments.number_rows)?);
        let pairs = old.as_string_view().iter().zip(new.as_string_view());
        let differences: StringViewArray = pairs.map(|(old, new)| Some(difference(old?, new?))).collect();
        Ok(ColumnarValue::Array(Arc::new(differences)))
    }
}

/// `tracewell_cut(text, n)`: the first letters of a text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Cut(Signature);

impl ScalarUDFImpl for Cut {
    fn name(&self) -> &str {
        CUT
    }

    /// A cast goes by the name of what is cast.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        Ok(arguments.iter().take(1).map(|argument| argument.schema_name().to_string()).collect())
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts, most] = take_function_args(self.name(), &arguments.args)?;
        let texts = cast(&texts.to_array(arguments.number_rows)?, &DataType::Utf8View)?;
        let most = cast(&most.to_array(arguments.number_rows)?, &DataType::Int64)?;
        let pairs = texts.as_string_view().iter().zip(most.as_primitive::<Int64Type>());
        let cut: StringViewArray = pairs.map(|(text, most)| Some(first(text?, most?))).collect();
        Ok(ColumnarValue::Array(Arc::new(cut)))
    }
}

fn first(text: &str, letters: i64) -> &str {
    let end = usize::try_from(letters).ok().and_then(|letters| text.char_indices().nth(letters));
    end.map_or(text, |(end, _)| &text[..end])
}

fn similarity(a: &str, b: &str) -> f64 {
    let (a, b) = (trigrams(a), trigrams(b));
    let shared = a.intersection(&b).count();
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

/// Three letters in a row of each word, which has two blanks before it and one behind.
fn trigrams(text: &str) -> HashSet<[char; 3]> {
    let mut found = HashSet::new();
    for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut last = [' ', ' '];
        for letter in word.chars().flat_map(char::to_lowercase).chain([' ']) {
            found.insert([last[0], last[1], letter]);
            last = [last[1], letter];
        }
    }
    found
}

fn difference(old: &str, new: &str) -> String {
    TextDiff::configure().timeout(PATIENCE).diff_lines(old, new).unified_diff().context_radius(3).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarity_is_that_of_postgresql() {
        // From PostgreSQL's documentation: the trigrams of "cat", and similarity('word', 'two words').
        let cat = [[' ', ' ', 'c'], [' ', 'c', 'a'], ['c', 'a', 't'], ['a', 't', ' ']];
        assert_eq!(trigrams("cat"), HashSet::from(cat));
        assert!((similarity("word", "two words") - 0.363_636).abs() < 1e-6);
        assert!((similarity("Größe!", "größe") - 1.0).abs() < f64::EPSILON);
        assert!(similarity("", "?!") < f64::EPSILON);
    }

    #[test]
    fn a_text_is_cut_by_letters() {
        assert_eq!([0, 3, 5, 9].map(|letters| first("größe", letters)), ["", "grö", "größe", "größe"]);
    }

    #[test]
    fn a_difference_shows_the_lines_that_changed() {
        let told = difference("You are kind.\nBe brief.\n", "You are kind.\nBe thorough.\n");
        assert_eq!(told, "@@ -1,2 +1,2 @@\n You are kind.\n-Be brief.\n+Be thorough.\n");
        assert_eq!(difference("same", "same"), "");
    }
}
