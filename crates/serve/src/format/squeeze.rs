//! An answer compressed on its way.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::Encoder;

/// A compression that `Accept-Encoding` may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squeeze {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Squeeze {
    /// The best that `accepted`, an `Accept-Encoding`, names and does not refuse.
    #[must_use]
    pub fn wanted(accepted: &str) -> Option<Self> {
        let names = |wanted: &str| {
            accepted.split(',').any(|one| {
                let mut parts = one.split(';').map(str::trim);
                let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
                let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.parse() == Ok(0.0));
                named && !refused
            })
        };
        if names("zstd") {
            Some(Self::Zstd)
        } else if names("gzip") {
            Some(Self::Gzip)
        } else {
            None
        }
    }

    /// Its name in `Content-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// An encoder whose bytes are compressed.
pub struct Squeezed {
    encoder: Box<dyn Encoder>,
    /// `None` once it has ended.
    stream: Option<Stream>,
}

enum Stream {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Squeezed {
    /// Compresses what `encoder` makes.
    ///
    /// # Errors
    /// When the compressor cannot be set up.
    pub fn new(squeeze: Squeeze, encoder: Box<dyn Encoder>) -> Result<Self, ArrowError> {
        let stream = match squeeze {
            Squeeze::Gzip => Stream::Gzip(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast())),
            Squeeze::Zstd => Stream::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 1)?),
        };
        Ok(Self { encoder, stream: Some(stream) })
    }
}

impl Encoder for Squeezed {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let bytes = self.encoder.batch(batch)?;
        Ok(match &mut self.stream {
            Some(Stream::Gzip(stream)) => {
                stream.write_all(&bytes)?;
                std::mem::take(stream.get_mut())
            }
            Some(Stream::Zstd(stream)) => {
                stream.write_all(&bytes)?;
                std::mem::take(stream.get_mut())
            }
            None => Vec::new(),
        })
    }

    fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        let bytes = self.encoder.end()?;
        Ok(match self.stream.take() {
            Some(Stream::Gzip(mut stream)) => {
                stream.write_all(&bytes)?;
                stream.finish()?
            }
            Some(Stream::Zstd(mut stream)) => {
                stream.write_all(&bytes)?;
                stream.finish()?
            }
            None => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_not_sent() {
        assert_eq!(Squeeze::wanted("gzip, deflate, br, zstd"), Some(Squeeze::Zstd));
        assert_eq!(Squeeze::wanted("gzip;q=0.5, zstd;q=0"), Some(Squeeze::Gzip));
        assert_eq!(Squeeze::wanted("GZIP"), Some(Squeeze::Gzip));
        assert_eq!(Squeeze::wanted("identity, br"), None);
        assert_eq!(Squeeze::wanted(""), None);
    }
}
