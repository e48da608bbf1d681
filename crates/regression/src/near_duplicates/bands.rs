//! Which of the kept texts are worth a comparison.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{NUMBERS, Signature};

/// Of texts as alike as the threshold, so many become candidates.
const RECALL: f64 = 0.99;
const NONE: u32 = u32::MAX;

/// The kept texts by their bands. Texts that share a band form a chain, the newest first.
pub(super) struct Bands {
    rows: usize,
    /// For each band: by its hash the newest text with it.
    newest: Vec<HashMap<u32, u32, BuildHasherDefault<Hashed>>>,
    /// For each text, by its place, and band: the next older text with it.
    older: Vec<u32>,
    /// What each text was last a candidate for, not to compare it twice.
    seen: Vec<u32>,
    asked: u32,
}

impl Bands {
    pub(super) fn new(threshold: f64, texts: usize) -> Self {
        let rows = rows(threshold);
        let bands = NUMBERS / rows;
        let newest =
            (0..bands).map(|_| HashMap::with_capacity_and_hasher(texts, BuildHasherDefault::default())).collect();
        Self { rows, newest, older: vec![NONE; texts * bands], seen: vec![0; texts], asked: 0 }
    }

    pub(super) fn insert(&mut self, place: usize, signature: &Signature) {
        let count = self.newest.len();
        for (band, hash) in signature.bands(self.rows).enumerate() {
            let before = self.newest[band].insert(hash, place as u32);
            self.older[place * count + band] = before.unwrap_or(NONE);
        }
    }

    /// Calls `look` with each text that shares a band, once, until it says to stop. Whether it never did.
    pub(super) fn candidates(&mut self, signature: &Signature, mut look: impl FnMut(usize) -> bool) -> bool {
        self.asked += 1;
        let count = self.newest.len();
        for (band, hash) in signature.bands(self.rows).enumerate() {
            let mut next = self.newest[band].get(&hash).copied().unwrap_or(NONE);
            while next != NONE {
                let place = next as usize;
                if std::mem::replace(&mut self.seen[place], self.asked) != self.asked && !look(place) {
                    return false;
                }
                next = self.older[place * count + band];
            }
        }
        true
    }
}

/// How many numbers a band has: the more, the fewer candidates; as many as keep the recall.
fn rows(threshold: f64) -> usize {
    let recall = |rows: &usize| {
        let bands = (NUMBERS / rows) as i32;
        1.0 - (1.0 - threshold.powi(*rows as i32)).powi(bands)
    };
    (1..=NUMBERS).take_while(|rows| recall(rows) >= RECALL).last().unwrap_or(1)
}

/// The keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        // The table takes its bits from both ends.
        self.0 = (self.0 << 32 | u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
