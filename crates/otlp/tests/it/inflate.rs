//! Inflating: whole, in pieces, up to a limit.

use std::io::Write;

use flate2::write::GzEncoder;
use tracewell_otlp::{Compression, InflateError, inflate};

fn compress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).expect("a vector takes it");
            encoder.finish().expect("a vector takes it")
        }
        Compression::Zstd => zstd::encode_all(bytes, 3).expect("a vector takes it"),
    }
}

const BOTH: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

#[test]
fn members_and_frames_are_inflated_one_after_another() {
    for compression in BOTH {
        let body = [compress(compression, b"one "), compress(compression, b""), compress(compression, b"two")].concat();
        assert_eq!(inflate(compression, &body, 7, |_| true).expect("valid"), b"one two");
        for end in 1..body.len() {
            let cut = inflate(compression, &body[..end], 7, |_| true);
            let is_whole = [compress(compression, b"one "), compress(compression, b"")].concat().len() == end
                || compress(compression, b"one ").len() == end;
            assert_eq!(cut.is_ok(), is_whole, "{compression:?} cut at {end}");
        }
    }
}

#[test]
fn inflating_ends_at_the_limit() {
    for compression in BOTH {
        let bomb = compress(compression, &vec![0; 16 << 20]);
        let mut admitted = 0;
        let result = inflate(compression, &bomb, 1 << 20, |bytes| {
            admitted += bytes;
            true
        });
        assert!(matches!(result, Err(InflateError::TooLarge(limit)) if limit == 1 << 20));
        assert!(admitted <= 1 << 20);
    }
}

#[test]
fn nothing_is_kept_that_was_not_admitted() {
    for compression in BOTH {
        let body = compress(compression, &vec![0; 1 << 20]);
        let mut room = 300_000_usize;
        let result =
            inflate(compression, &body, 1 << 20, |bytes| room.checked_sub(bytes).map(|left| room = left).is_some());
        assert!(matches!(result, Err(InflateError::NoRoom)));
    }
}
