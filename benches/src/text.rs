//! Text that compresses as text does.
//!
//! Words come from a list of 5,000 with Zipf's frequencies, and between them stand numbers and identifiers: what
//! repeats is left to the compressor to find, as in what people and models write.

use std::fmt::Write;
use std::sync::LazyLock;

use crate::random::Random;

const WORDS: usize = 5_000;

/// The list is the same for every load.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);

struct Vocabulary {
    words: Vec<String>,
    /// The summed frequency up to each word.
    cumulated: Vec<f64>,
}

impl Vocabulary {
    fn new() -> Self {
        const ONSETS: [&str; 20] =
            ["b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "pl", "ch", ""];
        const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ea", "ou", "io"];
        const CODAS: [&str; 12] = ["", "", "", "n", "r", "s", "t", "l", "nd", "ng", "ck", "st"];
        let mut random = Random::new(0x7E87, 0);
        let mut words: Vec<String> = Vec::with_capacity(WORDS);
        let mut known = std::collections::HashSet::new();
        while words.len() < WORDS {
            // Frequent words are short.
            let syllables = 1
                + (words.len() > 60 && random.chance(75)) as usize
                + (words.len() > 800 && random.chance(50)) as usize;
            let word: String = (0..syllables)
                .flat_map(|_| [*random.pick(&ONSETS), *random.pick(&VOWELS), *random.pick(&CODAS)])
                .collect();
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        let mut sum = 0.0;
        let cumulated = (1..=WORDS)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        Self { words, cumulated }
    }
}

/// A random word.
pub(crate) fn word(random: &mut Random) -> &'static str {
    let Vocabulary { words, cumulated } = &*VOCABULARY;
    let at = random.unit() * cumulated[WORDS - 1];
    &words[cumulated.partition_point(|sum| *sum < at).min(WORDS - 1)]
}

/// Appends about `bytes` of sentences to `out`; nothing in them needs escaping in JSON, and breaks are `separator`.
pub(crate) fn prose(random: &mut Random, bytes: usize, separator: &str, out: &mut String) {
    let end = out.len() + bytes;
    while out.len() < end {
        for at in 0..random.between(6, 16) {
            match random.below(40) {
                0 => write!(out, "{} ", random.below(100_000)),
                1 => write!(out, "{}-{} ", word(random), random.below(10_000)),
                _ => write!(out, "{}{} ", word(random), if at == 4 { "," } else { "" }),
            }
            .expect("text takes whatever is written");
        }
        out.pop();
        out.push_str(". ");
        // Not behind the last sentence, where half of an escaped break would be cut off.
        if out.len() < end && random.chance(20) {
            out.push_str(separator);
        }
    }
    out.pop();
}

/// `n` random hexadecimal digits.
pub(crate) fn hex(random: &mut Random, n: usize) -> String {
    (0..n).map(|_| char::from(b"0123456789abcdef"[random.below(16) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_stands_in_json_as_it_is() {
        for seed in 0..200 {
            let mut text = String::from("\"");
            prose(&mut Random::new(seed, 1), 100, "\\n\\n", &mut text);
            text.push('"');
            assert!(serde_json::from_str::<String>(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn prose_compresses_as_prose_does() {
        let mut text = String::new();
        prose(&mut Random::new(1, 1), 1 << 20, "\n", &mut text);
        let ratio = zstd::bulk::compress(text.as_bytes(), 3).expect("text compresses").len() as f64 / text.len() as f64;
        assert!((0.27..0.40).contains(&ratio), "{ratio}");
    }
}
