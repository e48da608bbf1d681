//! Reading a body: every byte is admitted before it is kept, and inflating stops at the limit.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tracewell_otlp::{Compression, InflateError};

use super::answer::Failure;
use crate::admission::Admitted;

/// Understands the header `name`; `None` when the body is as it is.
pub(super) fn compression(name: &str, headers: &http::HeaderMap) -> Result<Option<Compression>, Failure> {
    let value = headers.get(name).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    match value.as_deref() {
        None | Some("" | "identity") => Ok(None),
        Some("gzip" | "x-gzip") => Ok(Some(Compression::Gzip)),
        Some("zstd") => Ok(Some(Compression::Zstd)),
        Some(other) => {
            Err(Failure::Unsupported(format!("{name} `{other}` is not understood; send gzip, zstd or none")))
        }
    }
}

/// How long a body is waited for. Its bytes are admitted, so bodies that stall or trickle would keep others out.
#[derive(Clone, Copy)]
struct Patience {
    /// For the next part of it.
    part: Duration,
    /// For all of it.
    whole: Duration,
}

const PATIENCE: Patience = Patience { part: Duration::from_secs(10), whole: Duration::from_secs(120) };

/// Reads a whole body of at most `limit` bytes.
pub(super) async fn read<B>(body: B, limit: usize, admitted: &mut Admitted) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    read_within(PATIENCE, body, limit, admitted).await
}

async fn read_within<B>(patience: Patience, body: B, limit: usize, admitted: &mut Admitted) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let whole = read_parts(patience.part, body, limit, admitted);
    tokio::time::timeout(patience.whole, whole).await.map_err(|_| {
        let Patience { whole, .. } = patience;
        Failure::Unavailable(format!("the body did not come within {whole:?}, so it was given up; send it again"))
    })?
}

async fn read_parts<B>(patience: Duration, body: B, limit: usize, admitted: &mut Admitted) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    while let Some(frame) = tokio::time::timeout(patience, body.frame()).await.map_err(|_| stalled(patience))? {
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

/// A refused body is read and thrown away, up to so many bytes and so long: a client that is still sending when the
/// connection closes does not see the answer.
const DRAINED: usize = 16 << 20;
const DRAINING: Duration = Duration::from_secs(5);

/// Throws the rest of a body away; whether that was all of it.
pub(super) async fn drain<B>(body: B) -> bool
where
    B: http_body::Body<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut drained = 0;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > DRAINED {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(DRAINING, rest).await.unwrap_or(false)
}

/// Inflates to at most `limit` bytes.
pub(super) fn inflate(
    compression: Option<Compression>,
    body: Bytes,
    limit: usize,
    admitted: &mut Admitted,
) -> Result<Bytes, Failure> {
    let Some(compression) = compression else { return Ok(body) };
    match tracewell_otlp::inflate(compression, &body, limit, |bytes| admitted.grow(bytes)) {
        Ok(inflated) => Ok(inflated.into()),
        Err(InflateError::TooLarge(limit)) => Err(Failure::TooLarge(limit)),
        Err(InflateError::NoRoom) => Err(overloaded()),
        Err(error @ InflateError::Malformed { .. }) => Err(Failure::Malformed(error.to_string())),
    }
}

/// Takes `bytes` more of the budget.
pub(super) fn admit(admitted: &mut Admitted, bytes: usize) -> Result<(), Failure> {
    if admitted.grow(bytes) { Ok(()) } else { Err(overloaded()) }
}

fn stalled(patience: Duration) -> Failure {
    Failure::Unavailable(format!("nothing of the body came for {patience:?}, so it was given up; send it again"))
}

fn overloaded() -> Failure {
    Failure::Overloaded("the collector is overloaded: too many bytes in flight; send again after a pause".into())
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::admission::Admission;

    #[tokio::test]
    async fn a_body_that_stalls_is_given_up() {
        let frames = futures::stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>();
        let patience = Patience { part: Duration::from_millis(10), whole: Duration::MAX };
        let mut admitted = Admission::new(1 << 20).enter();
        let body = http_body_util::StreamBody::new(frames);
        let answer = read_within(patience, body, 1 << 20, &mut admitted).await;
        assert!(matches!(answer, Err(Failure::Unavailable(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_given_up() {
        let frames = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::new())))
            .then(async |frame| {
                tokio::time::sleep(Duration::from_millis(1)).await;
                frame
            });
        let patience = Patience { part: Duration::MAX, whole: Duration::from_millis(20) };
        let mut admitted = Admission::new(1 << 20).enter();
        let body = http_body_util::StreamBody::new(frames);
        let answer = read_within(patience, body, 1 << 20, &mut admitted).await;
        assert!(matches!(answer, Err(Failure::Unavailable(_))), "{answer:?}");
    }
}
