//! Texts that say nearly the same, found without comparing each with each.
//!
//! A text is the set of its **shingles**: runs of a few words. How alike two texts are is the Jaccard measure of their
//! sets: shared shingles as a share of all. It is estimated by MinHash (A. Z. Broder, 1997) from 128 numbers a text, with
//! a standard error of at most 0.045. Candidates come from locality-sensitive hashing: texts that agree in one of the
//! bands into which those numbers are cut.
//!
//! Texts are looked at in order, and each is compared with those before it that were kept; so a cluster keeps its first.
//! The same texts give the same answer on every machine.

use std::num::NonZero;

mod bands;
mod signature;
#[cfg(test)]
mod tests;

use bands::Bands;
use signature::{NUMBERS, Signature, Signer};

/// A text is compared with so many at most. Texts of one template agree in a band with very many that are not alike
/// enough, and would take the square of their number.
const MOST_COMPARED: usize = 256;

/// What counts as nearly the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearDuplicates {
    /// The measure from which on it does; above 0, up to 1.
    pub threshold: f64,
    /// Words in a shingle.
    pub words: NonZero<usize>,
}

impl Default for NearDuplicates {
    fn default() -> Self {
        Self { threshold: 0.8, words: NonZero::<usize>::MIN.saturating_add(2) }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// For each text the earlier one that it repeats; `None` where it is kept.
    pub duplicates: Vec<Option<Duplicate>>,
    /// Texts that had more candidates than are compared, so that one they repeat may have been missed.
    pub cut_short: usize,
}

/// A text that is nearly another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duplicate {
    /// The place of the text that is kept.
    pub of: usize,
    /// How alike both are: the estimated Jaccard measure of their shingles.
    pub similarity: f64,
}

impl NearDuplicates {
    /// Finds the texts to leave out. A text without words repeats none.
    #[must_use]
    pub fn find<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Found {
        let signatures = Signer::new(self.words.get()).sign_all(texts);
        let mut bands = Bands::new(self.threshold, texts.len());
        let mut found = Found { duplicates: Vec::with_capacity(texts.len()), cut_short: 0 };
        for (place, signature) in signatures.iter().enumerate() {
            let mut best: Option<Duplicate> = None;
            if !signature.is_empty() {
                let mut compared = 0;
                let all = bands.candidates(signature, |other| {
                    compared += 1;
                    let similarity = signature.similarity(&signatures[other]);
                    if similarity >= self.threshold && best.is_none_or(|best| similarity > best.similarity) {
                        best = Some(Duplicate { of: other, similarity });
                    }
                    compared < MOST_COMPARED && similarity < 1.0
                });
                found.cut_short += usize::from(!all && compared == MOST_COMPARED);
                if best.is_none() {
                    bands.insert(place, signature);
                }
            }
            found.duplicates.push(best);
        }
        found
    }
}
