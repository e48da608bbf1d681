//! `has_words(text, words)`, `has_phrase(text, phrase)` and `estimate_tokens(text)`: search in texts by whole words, and
//! how long they are to a model.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BooleanArray, Int64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::scalars::text;

pub(super) fn functions() -> [ScalarUDF; 3] {
    [
        ScalarUDF::from(Search { wanted: Wanted::Words, signature: Signature::any(2, Volatility::Immutable) }),
        ScalarUDF::from(Search { wanted: Wanted::Phrase, signature: Signature::any(2, Volatility::Immutable) }),
        ScalarUDF::from(Tokens(Signature::any(1, Volatility::Immutable))),
    ]
}

/// More words are not looked for at once: each word of a text is compared with all of them.
const MOST_WORDS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wanted {
    /// All words, anywhere.
    Words,
    /// All words, one directly behind the other.
    Phrase,
}

/// `has_words(text, words)` and `has_phrase(text, phrase)`. A word is what letters and digits stand together; upper and
/// lower case are one, and what stands between words does not matter. False where no word is asked for.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Search {
    wanted: Wanted,
    signature: Signature,
}

impl ScalarUDFImpl for Search {
    fn name(&self) -> &str {
        match self.wanted {
            Wanted::Words => "has_words",
            Wanted::Phrase => "has_phrase",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [searched, wanted] = take_function_args(self.name(), &arguments.args)?;
        let (texts, wanted) = (text(searched, arguments.number_rows)?, text(wanted, arguments.number_rows)?);
        // One search for many texts is the rule.
        let mut known: (&str, Vec<String>) = ("", Vec::new());
        let mut found = Vec::with_capacity(texts.len());
        for (text, wanted) in texts.as_string_view().iter().zip(wanted.as_string_view()) {
            let (Some(text), Some(wanted)) = (text, wanted) else {
                found.push(None);
                continue;
            };
            if known.0 != wanted {
                known = (wanted, words(wanted).map(|word| lower(word).collect()).collect());
                if known.1.len() > MOST_WORDS {
                    return exec_err!("{} looks for {MOST_WORDS} words at most", self.name());
                }
            }
            found.push(Some(match self.wanted {
                Wanted::Words => has_words(text, &known.1),
                Wanted::Phrase => has_phrase(text, &known.1),
            }));
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(found))))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// A word in lower case, letter by letter: a sigma at its end is one with others.
fn lower(word: &str) -> impl Iterator<Item = char> {
    word.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter })
}

/// Whether `word` is `lower` but for its case.
fn is(word: &str, lower: &str) -> bool {
    match word.is_ascii() {
        true => word.eq_ignore_ascii_case(lower),
        false => self::lower(word).eq(lower.chars()),
    }
}

fn has_words(text: &str, wanted: &[String]) -> bool {
    let mut missing: Vec<&str> = wanted.iter().map(String::as_str).collect();
    !wanted.is_empty()
        && words(text).any(|word| {
            missing.retain(|wanted| !is(word, wanted));
            missing.is_empty()
        })
}

fn has_phrase(text: &str, wanted: &[String]) -> bool {
    // How many words of the phrase end here, of each place where it may have begun.
    let mut begun: Vec<usize> = Vec::new();
    words(text).any(|word| {
        begun.push(0);
        begun.retain_mut(|place| {
            let goes_on = wanted.get(*place).is_some_and(|wanted| is(word, wanted));
            *place += 1;
            goes_on
        });
        begun.first().is_some_and(|longest| *longest == wanted.len())
    })
}

/// Letters that are one token to most models, in English.
const LETTERS: i64 = 4;

/// `estimate_tokens(text)`: about how many tokens a text is to a model, a quarter of its letters. Models count
/// differently, and other languages and code take more.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Tokens(Signature);

impl ScalarUDFImpl for Tokens {
    fn name(&self) -> &str {
        "estimate_tokens"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [counted] = take_function_args(self.name(), &arguments.args)?;
        let texts = text(counted, arguments.number_rows)?;
        let letters = |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX - LETTERS);
        let tokens = texts.as_string_view().iter().map(|text| text.map(|text| (letters(text) + LETTERS - 1) / LETTERS));
        Ok(ColumnarValue::Array(Arc::new(tokens.collect::<Int64Array>())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Vec<String> {
        words(text).map(|word| lower(word).collect()).collect()
    }

    #[test]
    fn words_are_found_whole_in_any_order_and_case() {
        let text = "Blue lantern-seeds are GRÜN; lanterns are not.";
        for present in ["seeds blue", "LANTERN", "grün", "not, are!", "are are"] {
            assert!(has_words(text, &wanted(present)), "{present}");
        }
        for absent in ["seed", "lantern red", "", "?!", "antern"] {
            assert!(!has_words(text, &wanted(absent)), "{absent}");
        }
        // The last letter of the word is another than within it, in lower case alone.
        assert!(has_words("ΟΔΟΣ", &wanted("ΟΔΟΣ")) && has_words("ΟΔΟΣ", &wanted("οδος")));
        assert!(has_words("οδος", &wanted("ΟΔΟΣ")));
    }

    #[test]
    fn a_phrase_is_found_where_its_words_stand_together() {
        let text = "the the blue, LANTERN\nseeds";
        for present in ["blue lantern", "the blue lantern seeds", "the the blue", "seeds"] {
            assert!(has_phrase(text, &wanted(present)), "{present}");
        }
        for absent in ["lantern blue", "blue seeds", "seeds are", "the the the", "", "lantern seed"] {
            assert!(!has_phrase(text, &wanted(absent)), "{absent}");
        }
    }
}
