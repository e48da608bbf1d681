//! Inflating a body: it ends at a limit, and asks for every piece before it keeps it.

use std::io::{self, Read};

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878, one frame or several.
    Zstd,
}

/// Why a body was not inflated.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// The bytes are not what they are said to be, or break off.
    #[error("the body is not {name}: {source}")]
    Malformed {
        /// What they are said to be.
        name: &'static str,
        /// The decoder's reason.
        source: io::Error,
    },
    /// Inflated it is larger than the limit.
    #[error("the body is larger than {0} bytes inflated")]
    TooLarge(usize),
    /// `admit` said no.
    #[error("there is no room for the inflated body")]
    NoRoom,
}

/// Inflates `body` to at most `limit` bytes. Each piece is announced to `admit`, which may refuse it.
///
/// # Errors
/// When `body` is malformed, larger than `limit`, or not admitted.
pub fn inflate(
    compression: Compression,
    body: &[u8],
    limit: usize,
    admit: impl FnMut(usize) -> bool,
) -> Result<Vec<u8>, InflateError> {
    match compression {
        Compression::Gzip => drain(flate2::read::MultiGzDecoder::new(body), "gzip", limit, admit),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(body)
                .map_err(|source| InflateError::Malformed { name: "zstd", source })?;
            drain(decoder, "zstd", limit, admit)
        }
    }
}

fn drain(
    mut reader: impl Read,
    name: &'static str,
    limit: usize,
    mut admit: impl FnMut(usize) -> bool,
) -> Result<Vec<u8>, InflateError> {
    let mut all = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = reader.read(&mut piece).map_err(|source| InflateError::Malformed { name, source })?;
        if read == 0 {
            return Ok(all);
        }
        if all.len() + read > limit {
            return Err(InflateError::TooLarge(limit));
        }
        if !admit(read) {
            return Err(InflateError::NoRoom);
        }
        all.extend_from_slice(&piece[..read]);
    }
}
