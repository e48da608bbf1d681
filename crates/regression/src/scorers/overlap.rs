//! Texts that have something in common.

use std::collections::HashMap;
use std::sync::LazyLock;

use rapidfuzz::distance::{lcs_seq, levenshtein};
use regex::Regex;

use super::Score;

/// Longer texts are not compared word by word or letter by letter: the work grows with the product of the lengths.
const LONGEST: usize = 200_000;

pub(super) fn rouge_l(answered: &str, expected: &str, at_least: Option<f64>) -> Result<Score, String> {
    let mut seen = HashMap::new();
    let (is, wanted) = (words(answered, &mut seen), words(expected, &mut seen));
    fits(is.len().max(wanted.len()), "words")?;
    let common = lcs_seq::similarity(is.iter().copied(), wanted.iter().copied());
    Ok(scored(f1(common, is.len(), wanted.len()), at_least, format!("{common} words in the same order")))
}

/// The words of a text, each as its number among all words `seen`.
fn words(text: &str, seen: &mut HashMap<String, u32>) -> Vec<u32> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let next = seen.len() as u32;
            *seen.entry(word.to_owned()).or_insert(next)
        })
        .collect()
}

pub(super) fn token_f1(answered: &str, expected: &str, at_least: Option<f64>) -> Score {
    let (is, wanted) = (squad_words(answered), squad_words(expected));
    if is.is_empty() || wanted.is_empty() {
        let share = if is == wanted { 1.0 } else { 0.0 };
        return scored(share, at_least, "a text without words".to_owned());
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    wanted.iter().for_each(|word| *counts.entry(word).or_default() += 1);
    let common = is
        .iter()
        .filter(|word| {
            counts.get_mut(word.as_str()).is_some_and(|left| {
                let there = *left > 0;
                *left = left.saturating_sub(1);
                there
            })
        })
        .count();
    scored(f1(common, is.len(), wanted.len()), at_least, format!("{common} words in common"))
}

/// The words that SQuAD's evaluation compares.
fn squad_words(text: &str) -> Vec<String> {
    static ARTICLES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(a|an|the)\b").expect("a valid pattern"));
    let text: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    ARTICLES.replace_all(&text, " ").split_whitespace().map(str::to_owned).collect()
}

pub(super) fn edit(answered: &str, expected: &str, at_least: Option<f64>) -> Result<Score, String> {
    let longer = answered.chars().count().max(expected.chars().count());
    fits(longer, "characters")?;
    let edits = levenshtein::distance(answered.chars(), expected.chars());
    let share = if longer == 0 { 1.0 } else { 1.0 - edits as f64 / longer as f64 };
    Ok(scored(share, at_least, format!("{edits} edits")))
}

fn fits(length: usize, of: &str) -> Result<(), String> {
    if length > LONGEST { Err(format!("{length} {of} are more than the {LONGEST} that are compared")) } else { Ok(()) }
}

/// The harmonic mean of precision and recall.
fn f1(common: usize, is: usize, wanted: usize) -> f64 {
    if common == 0 { 0.0 } else { 2.0 * common as f64 / (is + wanted) as f64 }
}

fn scored(share: f64, at_least: Option<f64>, explanation: String) -> Score {
    Score::share(share, at_least.map(|line| share >= line), explanation)
}
