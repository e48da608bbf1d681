//! Why a request, or one span or record of it, is not accepted.

use crate::WireError;

/// Why a whole request is refused: its framing is broken, so where its spans lie cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedRequest {
    /// The wire format is broken above the level of spans and records.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The index counts bytes in 32 bits.
    #[error("the request has {0} bytes, 4294967295 at most can be read; send smaller batches")]
    TooLarge(usize),
}

/// Why one span, log record, resource or scope is refused.
///
/// A receiver reports it in `partial_success`; sending the same again cannot succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `trace.proto`: an id "with all zeroes OR of length other than 16 bytes is considered invalid".
    #[error("trace_id is all zeros")]
    ZeroTraceId,
    /// A trace id of another length than 16 bytes.
    #[error("trace_id has {0} bytes, 16 are needed")]
    TraceIdLength(usize),
    /// `trace.proto`: an id "with all zeroes OR of length other than 8 bytes is considered invalid".
    #[error("span_id is all zeros")]
    ZeroSpanId,
    /// A span id of another length than 8 bytes.
    #[error("span_id has {0} bytes, 8 are needed")]
    SpanIdLength(usize),
    /// A parent id that is neither empty nor 8 bytes long.
    #[error("parent_span_id has {0} bytes, 8 or none are needed")]
    ParentIdLength(usize),
    /// An id of a link that is neither empty nor of its full length.
    #[error("an id of a link has {0} bytes, 16 are needed for a trace and 8 for a span")]
    LinkIdLength(usize),
    /// A protobuf `string` must be UTF-8.
    #[error("`{field}` is not valid utf-8")]
    InvalidUtf8 {
        /// The field, mostly as `Message.field`.
        field: &'static str,
    },
    /// More elements than [`Limits`](crate::Limits) allow.
    #[error("more than {limit} {field}")]
    TooMany {
        /// `attributes`, `events` or `links`.
        field: &'static str,
        /// The limit that was passed.
        limit: usize,
    },
    /// A value nests arrays and maps deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    #[error("a value is nested too deep")]
    TooDeep,
    /// An array or map arrived as several pieces of one field, which protobuf would concatenate.
    #[error("an array or map value is split into pieces")]
    SplitValue,
    /// The wire format is broken.
    #[error(transparent)]
    Malformed(#[from] WireError),
}

impl Refusal {
    /// The reason as one word, stable over releases: the label under which refusals are counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::ZeroTraceId => "zero_trace_id",
            Refusal::TraceIdLength(_) => "trace_id_length",
            Refusal::ZeroSpanId => "zero_span_id",
            Refusal::SpanIdLength(_) => "span_id_length",
            Refusal::ParentIdLength(_) => "parent_id_length",
            Refusal::LinkIdLength(_) => "link_id_length",
            Refusal::InvalidUtf8 { .. } => "invalid_utf8",
            Refusal::TooMany { .. } => "too_many",
            Refusal::TooDeep => "too_deep",
            Refusal::SplitValue => "split_value",
            Refusal::Malformed(_) => "malformed",
        }
    }
}
