//! What was worked out for a text once, kept for when the same text comes again.
//!
//! Every call of an agent sends the same instructions and the same tools. An answer is given again only for exactly
//! the same bytes, so that it never differs from one worked out anew.

use std::collections::HashMap;
use std::sync::Arc;

/// Bytes that a memo holds before it starts over.
const CAPACITY: usize = 1 << 20;

/// What an answer takes beside its text, about.
const ANSWER: usize = 128;

/// Longer texts are worked out each time.
const LONGEST: usize = CAPACITY / 4;

/// Answers of one kind, by the text that they are about.
#[derive(Debug)]
pub(crate) struct Memo<V> {
    /// By [`sample`]: one answer each.
    answers: HashMap<u64, (Box<[u8]>, Arc<V>)>,
    bytes: usize,
}

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self { answers: HashMap::new(), bytes: 0 }
    }
}

impl<V> Memo<V> {
    /// What `work_out` says about `text`, or said when `text` came before.
    pub(crate) fn get(&mut self, text: &[u8], work_out: impl FnOnce() -> V) -> Arc<V> {
        if text.len() > LONGEST {
            return Arc::new(work_out());
        }
        let sample = sample(text);
        if let Some((known, answer)) = self.answers.get(&sample)
            && **known == *text
        {
            return Arc::clone(answer);
        }
        if self.bytes + ANSWER + text.len() > CAPACITY {
            self.answers.clear();
            self.bytes = 0;
        }
        let answer = Arc::new(work_out());
        let before = self.answers.insert(sample, (text.into(), Arc::clone(&answer)));
        self.bytes += ANSWER + text.len();
        self.bytes -= before.map_or(0, |(text, _)| ANSWER + text.len());
        answer
    }
}

/// A number that texts of the same bytes share: the length, mixed with words from all over the text.
fn sample(text: &[u8]) -> u64 {
    const WORDS: usize = 16;
    // An odd constant with well spread bits (the golden ratio).
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = mix(0, text.len() as u64);
    if text.len() <= WORDS * 8 {
        return text.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)));
    }
    let last = text.len() - 8;
    (0..WORDS).fold(hash, |hash, at| {
        let word = text[at * last / (WORDS - 1)..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        mix(hash, word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_known_again() {
        let mut memo = Memo::default();
        // Longer than what is sampled, and different in one byte that is not.
        let text = "x".repeat(1_000);
        let mut other = text.clone();
        other.replace_range(20..21, "y");
        assert_eq!(sample(text.as_bytes()), sample(other.as_bytes()));
        let mut worked_out = 0;
        for text in [&text, &text, &other, &text] {
            let answer = memo.get(text.as_bytes(), || {
                worked_out += 1;
                text.clone()
            });
            assert_eq!(*answer, *text);
        }
        assert_eq!(worked_out, 3);
    }

    #[test]
    fn a_memo_does_not_grow_without_end() {
        let mut memo = Memo::default();
        for number in 0..100_usize {
            let text = number.to_string().repeat(CAPACITY / 20);
            assert_eq!(*memo.get(text.as_bytes(), || number), number);
            let bytes = memo.answers.values().map(|(text, _)| ANSWER + text.len()).sum::<usize>();
            assert!(bytes == memo.bytes && bytes <= CAPACITY);
        }
        for number in 0..CAPACITY / ANSWER * 2 {
            memo.get(&number.to_le_bytes(), || number);
            assert!(memo.answers.len() <= CAPACITY / ANSWER);
        }
        memo.get(&vec![0; LONGEST + 1], || 0);
        assert!(memo.answers.values().all(|(text, _)| text.len() <= LONGEST));
    }
}
