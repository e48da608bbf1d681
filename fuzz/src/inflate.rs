//! Inflating: never beyond the limit or what was admitted, and back to what was compressed.

use std::io::Write;

use flate2::write::GzEncoder;
use tracewell_otlp::{Compression, InflateError, inflate};

use crate::cost;
use crate::seeds::captures;

/// One byte for the compression, two for the limit in units of 16 bytes, then the body.
pub(crate) fn check(data: &[u8]) {
    let Some(([first, low, high], body)) = data.split_first_chunk() else { return };
    let compression = if first & 1 == 0 { Compression::Gzip } else { Compression::Zstd };
    let limit = usize::from(u16::from_le_bytes([*low, *high])) * 16;

    let mut admitted = 0;
    let result = cost::bounded(body.len() + 4 * limit + (64 << 10), 2, || {
        inflate(compression, body, limit, |bytes| {
            admitted += bytes;
            true
        })
    });
    assert!(admitted <= limit);
    match result {
        Ok(inflated) => {
            assert_eq!(inflated.len(), admitted);
            check_room(compression, body, &inflated);
        }
        Err(InflateError::NoRoom) => panic!("all was admitted"),
        Err(InflateError::TooLarge(said)) => assert_eq!(said, limit),
        Err(InflateError::Malformed { .. }) => {}
    }
    // What compresses to anything inflates to itself, in two parts as in one.
    let (one, two) = body.split_at(body.len() / 2);
    let twice = [compress(compression, one), compress(compression, two)].concat();
    assert_eq!(inflate(compression, &twice, body.len(), |_| true).expect("just compressed"), body);
}

/// A limit that it just fits is enough, and one less is too little; so for what is admitted.
fn check_room(compression: Compression, body: &[u8], inflated: &[u8]) {
    let fits = inflated.len();
    assert_eq!(inflate(compression, body, fits, |_| true).expect("it fits"), inflated);
    let Some(short) = fits.checked_sub(1) else { return };
    assert!(matches!(inflate(compression, body, short, |_| true), Err(InflateError::TooLarge(_))));
    let mut room = short;
    let within_room = |bytes| room.checked_sub(bytes).map(|left| room = left).is_some();
    assert!(matches!(inflate(compression, body, fits, within_room), Err(InflateError::NoRoom)));
}

fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("a vector takes it");
            encoder.finish().expect("a vector takes it")
        }
        Compression::Zstd => zstd::encode_all(bytes, 1).expect("a vector takes it"),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let captures = captures();
    let mut seeds = Vec::new();
    for (i, capture) in captures.iter().step_by(4).enumerate() {
        for (first, compression) in [(0, Compression::Gzip), (1, Compression::Zstd)] {
            // Half of them hold more than their limit.
            let limit = if i % 2 == 0 { [0xff, 0xff] } else { [8, 0] };
            seeds.push([&[first, limit[0], limit[1]], &compress(compression, &capture.body)[..]].concat());
        }
    }
    seeds
}
