//! Captured requests, damaged: nothing panics, and the walk and `prost` agree on what is still readable.

use crate::captures::captures;
use crate::oracle::assert_agree;
use crate::scramble::Random;

/// Every position of a small capture is tried, and as many, spread evenly, of a large one.
const POSITIONS: usize = 1500;

#[test]
fn truncated_captures_never_panic() {
    for capture in captures() {
        for end in (0..capture.body.len()).step_by(capture.body.len() / POSITIONS + 1) {
            assert_agree(capture.signal, &capture.body[..end]);
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    for mut capture in captures() {
        for place in (0..capture.body.len()).step_by(capture.body.len() / POSITIONS + 1) {
            let bit = 1 << (place % 8);
            capture.body[place] ^= bit;
            assert_agree(capture.signal, &capture.body);
            capture.body[place] ^= bit;
        }
    }
}

#[test]
fn every_bit_of_a_small_capture_can_flip() {
    for mut capture in captures().into_iter().filter(|capture| capture.body.len() < 2000) {
        for place in 0..capture.body.len() * 8 {
            capture.body[place / 8] ^= 1 << (place % 8);
            assert_agree(capture.signal, &capture.body);
            capture.body[place / 8] ^= 1 << (place % 8);
        }
    }
}

#[test]
fn removed_and_repeated_pieces_never_panic() {
    let mut random = Random(7);
    for capture in captures() {
        let body = &capture.body;
        for _ in 0..300 {
            let start = random.below(body.len());
            let end = start + random.below((body.len() - start).min(64)) + 1;
            assert_agree(capture.signal, &[&body[..start], &body[end..]].concat());
            assert_agree(capture.signal, &[&body[..end], &body[start..]].concat());
        }
    }
}
