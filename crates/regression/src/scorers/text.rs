//! Texts that are the same, or hold one another.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

use super::{RuleError, Score};
use crate::privacy::NUMBERS_AND_LETTER;

pub(super) fn pattern(source: &str) -> Result<Regex, RuleError> {
    Regex::new(source).map_err(|error| RuleError::Pattern { pattern: source.to_owned(), reason: error.to_string() })
}

pub(super) fn normalised(answered: &str, expected: &str, ignore_punctuation: bool) -> Score {
    if normal(answered, ignore_punctuation) == normal(expected, ignore_punctuation) {
        return Score::verdict(true, "the same");
    }
    // As they were written: in lower case and without punctuation, nobody finds what is to be masked.
    Score::verdict(false, format!("{} instead of {}", shown(answered), shown(expected)))
}

/// The word that a text ends with, and numbers before it: it may be the first part of a name, a number or a key.
static LAST_WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("{NUMBERS_AND_LETTER}*$")).expect("a valid pattern"));

/// Whether both are the same, byte for byte.
pub(super) fn same(answered: &str, expected: &str) -> Score {
    if answered == expected {
        return Score::verdict(true, "the same");
    }
    let place = answered.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
    let alike: String = answered.chars().take(place).collect();
    // The end of an address or a number alone is not known for one, and would not be masked.
    let start = LAST_WORD.find(&alike).map_or(alike.len(), |word| word.start());
    let (was, wanted) = (shown(&answered[start..]), shown(&expected[start..]));
    Score::verdict(false, format!("differs from character {}: {was} instead of {wanted}", place + 1))
}

/// The text as it is compared when only words matter.
fn normal(text: &str, ignore_punctuation: bool) -> String {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let kept = |c: &char| !ignore_punctuation || c.is_alphanumeric() || c.is_whitespace();
    let text: String = text.chars().filter(kept).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn contains(answered: &str, wanted: &str, ignore_case: bool, absent: bool) -> Score {
    let found =
        if ignore_case { answered.to_lowercase().contains(&wanted.to_lowercase()) } else { answered.contains(wanted) };
    found_or_not(found, absent, &shown(wanted))
}

pub(super) fn matches(answered: &str, pattern: &Regex, absent: bool) -> Score {
    match pattern.find(answered) {
        Some(found) => found_or_not(true, absent, &shown(found.as_str())),
        None => found_or_not(false, absent, &format!("`{pattern}`")),
    }
}

fn found_or_not(found: bool, absent: bool, what: &str) -> Score {
    Score::verdict(found != absent, format!("{what} {}", if found { "is there" } else { "is not there" }))
}

/// The beginning of a text, in quotes.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let beginning: String = text.chars().take(MOST).collect();
    let more = if beginning.len() < text.len() { "…" } else { "" };
    format!("`{beginning}{more}`")
}
