//! The wire: OTLP requests read where they lie, with every check made once.
//!
//! A receiver gets an `ExportTraceServiceRequest` or an `ExportLogsServiceRequest` as bytes. Decoding it into
//! owned structs costs an allocation for every string; this crate walks the bytes instead and hands out views
//! that borrow from them. It is pure: no I/O, no clock, no async.
//!
//! Reading takes two passes, because the two kinds of damage have different consequences:
//!
//! 1. [`index_traces`] reads tags and lengths down to the spans. A framing error here leaves no way to tell
//!    where a span ends, so the whole request is refused with [`MalformedRequest`].
//! 2. [`Decoder::decode_span`] reads one span. Whatever is wrong inside it is a [`Refusal`] of that span alone,
//!    to be counted in the response's [`partial_success`][partial].
//!
//! ```
//! use tracewell_otlp::{Decoder, Limits, index_traces, json};
//!
//! let body = json::traces_json_to_protobuf(br#"{"resourceSpans": [{"scopeSpans": [{"spans": [{
//!     "traceId": "5b8efff798038103d269b633813fc60c",
//!     "spanId": "eee19b7ec3c1b174",
//!     "name": "chat",
//!     "attributes": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "11"}}]
//! }]}]}]}"#)?;
//!
//! let index = index_traces(&body)?;
//! let mut decoder = Decoder::new(Limits::default());
//! for entry in index.spans() {
//!     let span = decoder.decode_span(entry.bytes(&body))?;
//!     assert_eq!(span.name, "chat");
//!     assert_eq!(span.attributes[0].value.as_i64(), Some(11));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rules of reading
//!
//! - Fields come in any order, unknown ones are skipped, and a scalar sent twice takes its last value, as
//!   [protobuf requires][encoding]. A `Resource` or scope sent in pieces is merged.
//! - The bytes accepted are those `prost` accepts, less the spans that break a rule of OTLP (ids) or a limit.
//!   One legal encoding is refused as well: an array or map value split into pieces ([`Refusal::SplitValue`]),
//!   which no encoder writes and no view could show without copying. Values may nest deeper than `prost`
//!   allows, up to [`Limits::max_depth`], and unknown groups a little deeper.
//! - Duplicate attribute keys and an end before the start are left for the caller to judge.
//!
//! A compressed body is inflated ([`inflate()`]) and OTLP/JSON becomes protobuf first ([`json`]), so that all that
//! follows sees one form.
//!
//! [encoding]: https://protobuf.dev/programming-guides/encoding/#order
//! [partial]: https://opentelemetry.io/docs/specs/otlp/#partial-success-1

#![forbid(unsafe_code)]

mod carried;
mod decode;
mod index;
mod inflate;
pub mod json;
mod log;
mod metrics;
mod refusal;
mod span;
mod value;
mod wire;

pub use carried::{Carried, carried};
pub use decode::{Decoder, Limits, Resource, Scope};
pub use index::{
    Extent, ItemEntry, LogIndex, ResourceEntry, ScopeEntry, TraceIndex, count_messages, index_logs, index_traces,
    measure_logs, measure_traces,
};
pub use inflate::{Compression, InflateError, inflate};
pub use log::LogRecord;
pub use metrics::count_metric_points;
pub use refusal::{MalformedRequest, Refusal};
pub use span::{Event, Link, Span};
pub use value::{AnyValue, ArrayValue, KeyValue, KeyValueList, KeyValues, Values};
pub use wire::{Fault, WireError};
