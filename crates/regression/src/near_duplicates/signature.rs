//! A text as 128 numbers, of which two texts share about as large a part as of their shingles.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use unicode_segmentation::UnicodeSegmentation as _;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Numbers in a signature.
pub(super) const NUMBERS: usize = 128;
/// The numbers of texts depend on it.
const SEED: u64 = 0x7261_6365_7765_6c6c;

/// For each of 128 hash functions the least hash among the shingles.
#[derive(Clone, Debug)]
pub(super) struct Signature([u32; NUMBERS]);

impl Signature {
    const EMPTY: Self = Self([u32::MAX; NUMBERS]);

    /// There were no words.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|number| *number == u32::MAX)
    }

    pub(super) fn similarity(&self, other: &Self) -> f64 {
        let equal: u32 = self.0.iter().zip(&other.0).map(|(one, other)| u32::from(one == other)).sum();
        f64::from(equal) / NUMBERS as f64
    }

    /// The numbers, `rows` at a time, each time hashed.
    pub(super) fn bands(&self, rows: usize) -> impl Iterator<Item = u32> {
        self.0.chunks_exact(rows).map(|rows| {
            let mut bytes = [0; NUMBERS * 4];
            for (place, number) in bytes.chunks_exact_mut(4).zip(rows) {
                place.copy_from_slice(&number.to_le_bytes());
            }
            xxh3_64(&bytes[..rows.len() * 4]) as u32
        })
    }
}

/// Makes signatures.
pub(super) struct Signer {
    words: usize,
    /// A factor and a summand for each hash function.
    functions: [(u64, u64); NUMBERS],
}

impl Signer {
    pub(super) fn new(words: usize) -> Self {
        let mut draw = Pcg64Mcg::seed_from_u64(SEED);
        Self { words, functions: std::array::from_fn(|_| (draw.next_u64() | 1, draw.next_u64())) }
    }

    /// The signatures of all texts, in their order, made on every core.
    pub(super) fn sign_all<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Vec<Signature> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut signatures = vec![Signature::EMPTY; texts.len()];
        let share = texts.len().div_ceil(cores).max(1);
        std::thread::scope(|scope| {
            for (texts, signatures) in texts.chunks(share).zip(signatures.chunks_mut(share)) {
                scope.spawn(move || {
                    let mut words = Vec::new();
                    for (text, signature) in texts.iter().zip(signatures) {
                        self.sign(text.as_ref(), &mut words, signature);
                    }
                });
            }
        });
        signatures
    }

    fn sign(&self, text: &str, words: &mut Vec<u64>, signature: &mut Signature) {
        words.clear();
        words.extend(text.unicode_words().map(hash_of_word));
        // A text shorter than a shingle is one.
        for shingle in words.windows(self.words.min(words.len().max(1))) {
            self.take(hash_of_shingle(shingle), signature);
        }
    }

    /// Multiply-shift hashing (M. Dietzfelbinger and others, 1997): the upper half of a linear function.
    fn take(&self, shingle: u64, signature: &mut Signature) {
        for (least, (factor, summand)) in signature.0.iter_mut().zip(&self.functions) {
            *least = (*least).min((shingle.wrapping_mul(*factor).wrapping_add(*summand) >> 32) as u32);
        }
    }
}

/// Case does not count.
fn hash_of_word(word: &str) -> u64 {
    let mut hash = Xxh3::new();
    if word.is_ascii() {
        let mut bytes = [0; 64];
        for part in word.as_bytes().chunks(bytes.len()) {
            let lower = &mut bytes[..part.len()];
            lower.copy_from_slice(part);
            lower.make_ascii_lowercase();
            hash.update(lower);
        }
    } else {
        hash.update(word.to_lowercase().as_bytes());
    }
    hash.digest()
}

fn hash_of_shingle(words: &[u64]) -> u64 {
    let mut hash = Xxh3::new();
    words.iter().for_each(|word| hash.update(&word.to_le_bytes()));
    hash.digest()
}
