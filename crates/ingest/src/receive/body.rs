//! Reading a body: every byte is admitted before it is kept, and inflating stops at the limit.

use std::io::Read;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::answer::Failure;
use crate::admission::Admitted;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Understands the header `name`.
    pub(super) fn parse(name: &str, headers: &http::HeaderMap) -> Result<Self, Failure> {
        let value = headers.get(name).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        match value.as_deref() {
            None | Some("" | "identity") => Ok(Self::Identity),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => {
                Err(Failure::Unsupported(format!("{name} `{other}` is not understood; send gzip, zstd or none")))
            }
        }
    }
}

/// Reads a whole body of at most `limit` bytes.
pub(super) async fn read<B>(body: B, limit: usize, admitted: &mut Admitted) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Malformed(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.as_ref().map_or(0, Bytes::len) + all.len() + data.len() > limit {
            return Err(Failure::TooLarge(limit));
        }
        admit(admitted, data.len())?;
        match first.take() {
            None if all.is_empty() => first = Some(data),
            Some(before) => {
                all.extend_from_slice(&before);
                all.extend_from_slice(&data);
            }
            None => all.extend_from_slice(&data),
        }
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}

/// Inflates to at most `limit` bytes.
pub(super) fn inflate(
    encoding: Encoding,
    body: Bytes,
    limit: usize,
    admitted: &mut Admitted,
) -> Result<Bytes, Failure> {
    match encoding {
        Encoding::Identity => Ok(body),
        Encoding::Gzip => drain(flate2::read::MultiGzDecoder::new(&body[..]), "gzip", limit, admitted),
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(&body[..])
                .map_err(|error| Failure::Malformed(format!("the body is not zstd: {error}")))?;
            drain(decoder, "zstd", limit, admitted)
        }
    }
}

fn drain(mut reader: impl Read, name: &str, limit: usize, admitted: &mut Admitted) -> Result<Bytes, Failure> {
    let mut all = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read =
            reader.read(&mut piece).map_err(|error| Failure::Malformed(format!("the body is not {name}: {error}")))?;
        if read == 0 {
            return Ok(all.into());
        }
        if all.len() + read > limit {
            return Err(Failure::TooLarge(limit));
        }
        admit(admitted, read)?;
        all.extend_from_slice(&piece[..read]);
    }
}

/// Takes `bytes` more of the budget.
pub(super) fn admit(admitted: &mut Admitted, bytes: usize) -> Result<(), Failure> {
    if admitted.grow(bytes) {
        Ok(())
    } else {
        Err(Failure::Overloaded(
            "the collector is overloaded: too many bytes in flight; send again after a pause".into(),
        ))
    }
}
