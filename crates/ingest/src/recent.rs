//! Requests received lately, so that a client's retry of the same bytes is stored once.
//!
//! A client that did not get its answer sends the same request again, and requests go to shards by the hash of
//! their bytes, so the retry meets the shard that has the first one. The hashes outlive a restart: they are in the
//! records of the write-ahead log, and those of records already released are repeated in the first record of each
//! segment (its preamble). What was answered does not: after a restart the retry of a request of which some spans
//! were refused is told plain success.

use std::collections::{HashMap, VecDeque};

use tracewell_model::time::NANOS_PER_SECOND;

use crate::rows::Outcome;

/// How long a request is remembered. OpenTelemetry's exporters give up after some five minutes.
const WINDOW_NANOS: i64 = 15 * 60 * NANOS_PER_SECOND;
/// How many requests are remembered at most.
const MOST: usize = 1 << 16;
/// Bytes of one entry in a preamble: the hash, then the time of receipt.
const ENTRY: usize = 24;

/// The recent requests of one shard.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    known: HashMap<u128, Known>,
    order: VecDeque<u128>,
}

#[derive(Debug)]
struct Known {
    received_at: i64,
    /// What was answered, where that was not that all was taken in.
    refused: Option<Box<Outcome>>,
}

impl Recent {
    /// What these bytes are answered when they were received before: what the first ones were, with nothing more
    /// accepted.
    pub(crate) fn answer(&self, hash: u128) -> Option<Outcome> {
        let known = self.known.get(&hash)?;
        Some(known.refused.as_deref().cloned().unwrap_or_default())
    }

    /// Remembers what a request is answered.
    pub(crate) fn answered(&mut self, hash: u128, outcome: &Outcome) {
        if let (Some(known), true) = (self.known.get_mut(&hash), outcome.rejected > 0) {
            known.refused = Some(Box::new(Outcome { accepted: 0, ..outcome.clone() }));
        }
    }

    /// Remembers a request, and forgets those too old to come again.
    pub(crate) fn insert(&mut self, hash: u128, received_at: i64) {
        if self.known.insert(hash, Known { received_at, refused: None }).is_none() {
            self.order.push_back(hash);
        }
        while let Some(oldest) = self.order.front().copied() {
            let age = received_at.saturating_sub(self.known.get(&oldest).map_or(i64::MIN, |known| known.received_at));
            if age <= WINDOW_NANOS && self.order.len() <= MOST {
                break;
            }
            self.order.pop_front();
            self.known.remove(&oldest);
        }
    }

    /// The entries as the preamble of a segment.
    pub(crate) fn to_preamble(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.order.len() * ENTRY);
        for hash in &self.order {
            if let Some(known) = self.known.get(hash) {
                bytes.extend(hash.to_le_bytes());
                bytes.extend(known.received_at.to_le_bytes());
            }
        }
        bytes
    }

    /// Remembers the entries of a preamble.
    pub(crate) fn read_preamble(&mut self, bytes: &[u8]) {
        for entry in bytes.chunks_exact(ENTRY) {
            let (hash, received_at) = entry.split_at(16);
            self.insert(
                u128::from_le_bytes(hash.try_into().expect("16 bytes were split off")),
                i64::from_le_bytes(received_at.try_into().expect("8 bytes are left")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_remembered_for_the_window_and_across_segments() {
        let mut recent = Recent::default();
        recent.insert(7, 0);
        recent.insert(8, WINDOW_NANOS);
        let contains = |recent: &Recent, hash| recent.answer(hash).is_some();
        assert!(contains(&recent, 7));
        let mut again = Recent::default();
        again.read_preamble(&recent.to_preamble());
        assert!(contains(&again, 7) && contains(&again, 8));
        again.insert(9, WINDOW_NANOS + 1);
        assert!(!contains(&again, 7) && contains(&again, 8) && contains(&again, 9));
    }
}
