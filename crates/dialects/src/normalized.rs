//! What the crate answers: the canonical facts of one span or log record.

use std::borrow::Cow;

use tracewell_model::id::ContentHash;
use tracewell_model::kind::{Dialect, ErrorClass, Form, InputSemantics, Kind};

/// The canonical facts of one span or log record. Field names are column names.
///
/// The record is reused: [`Normalized::clear`] empties it and keeps its buffers.
#[allow(missing_docs, reason = "the columns of the same names are documented in the schema")]
#[derive(Clone, Debug, Default)]
pub struct Normalized<'a> {
    pub kind: Kind,
    pub dialect: Dialect,
    pub operation: Option<Cow<'a, str>>,
    pub framework: Option<Cow<'a, str>>,
    pub provider: Option<Cow<'a, str>>,
    pub request_model: Option<Cow<'a, str>>,
    pub response_model: Option<Cow<'a, str>>,
    pub response_id: Option<Cow<'a, str>>,
    pub service_tier: Option<Cow<'a, str>>,
    /// Only what the span says itself; the resource's value is the caller's to fall back to.
    pub service: Option<Cow<'a, str>>,
    pub service_version: Option<Cow<'a, str>>,
    pub environment: Option<Cow<'a, str>>,
    pub release: Option<Cow<'a, str>>,
    pub team: Option<Cow<'a, str>>,
    pub agent_name: Option<Cow<'a, str>>,
    pub workflow_name: Option<Cow<'a, str>>,
    pub workflow_version: Option<Cow<'a, str>>,
    pub prompt_name: Option<Cow<'a, str>>,
    pub prompt_version: Option<Cow<'a, str>>,
    pub prompt_label: Option<Cow<'a, str>>,
    pub prompt_template: Option<Cow<'a, str>>,
    pub prompt_hash: Option<[u8; 16]>,
    pub prompt_shape: Option<[u8; 16]>,
    pub prompt_variables: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub conversation_id: Option<Cow<'a, str>>,
    pub user_id: Option<Cow<'a, str>>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub max_tokens: Option<i64>,
    pub seed: Option<i64>,
    pub request_params: Vec<(&'static str, Cow<'a, str>)>,
    pub streaming: Option<bool>,
    pub ttft_ns: Option<i64>,
    pub finish_reasons: Vec<Cow<'a, str>>,
    pub usage: Usage,
    /// Every count as the span reported it, by attribute key (or `key.member` inside JSON).
    pub usage_reported: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub usage_flags: Vec<&'static str>,
    pub input_semantics: Option<InputSemantics>,
    /// Exact decimal text as sent; an `f64` is written in its shortest form that reads back the same.
    pub reported_cost_usd: Option<Cow<'a, str>>,
    pub error_type: Option<Cow<'a, str>>,
    pub error_class: Option<ErrorClass>,
    pub tool_name: Option<Cow<'a, str>>,
    pub tool_call_id: Option<Cow<'a, str>>,
    pub tool_type: Option<Cow<'a, str>>,
    pub retrieval_query: Option<Cow<'a, str>>,
    pub request_id: Option<Cow<'a, str>>,
    pub tags: Vec<Cow<'a, str>>,
    pub metadata: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub content_hash: Option<[u8; 16]>,
    pub routing_hash: Option<[u8; 16]>,
    pub policy_hash: Option<[u8; 16]>,
    pub input_preview: Option<String>,
    pub output_preview: Option<String>,
    /// Input messages, tool arguments or other input, in order.
    pub input: Vec<Piece<'a>>,
    /// Output messages, tool result, documents or other output, in order.
    pub output: Vec<Piece<'a>>,
    pub system: Option<Piece<'a>>,
    pub tools: Option<Piece<'a>>,
    /// Further large attributes that are not the chosen carrier of anything.
    pub payloads: Vec<Piece<'a>>,
    /// Indexes into the attributes: these live in `contents` and are left out of `attributes`. Ascending.
    pub moved: Vec<u32>,
    /// `(event, attribute of the event)`: the same for span events.
    pub moved_event_attributes: Vec<(u32, u32)>,
    /// Log records only: what a span states outside its attributes, and how a tool call was decided on.
    pub record: Record<'a>,
    /// Log records only: the body lives in `contents`.
    pub moved_body: bool,
    pub scores: Vec<Score<'a>>,
    /// `truncated`, `unparsable`, … (see the schema's `flags`).
    pub flags: Vec<&'static str>,
}

/// What a log record alone states.
#[allow(missing_docs, reason = "the columns of the same names are documented in the schema")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    pub duration_ns: Option<i64>,
    /// `ok`, `error`.
    pub status: Option<&'static str>,
    pub status_message: Option<Cow<'a, str>>,
    pub prompt_id: Option<Cow<'a, str>>,
    pub decision: Option<Cow<'a, str>>,
    pub decision_source: Option<Cow<'a, str>>,
}

/// Token counts, read inclusively: see the columns of the same names.
#[allow(missing_docs, reason = "the columns of the same names are documented in the schema")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub cache_read_tokens: Option<i64>,
    pub cache_write_tokens: Option<i64>,
    pub cache_write_5m_tokens: Option<i64>,
    pub cache_write_1h_tokens: Option<i64>,
    pub reasoning_tokens: Option<i64>,
    pub audio_input_tokens: Option<i64>,
    pub audio_output_tokens: Option<i64>,
    pub image_input_tokens: Option<i64>,
}

/// The role of a message, as sent.
pub type Role<'a> = Cow<'a, str>;

/// One content: bytes that go to `contents`, and how they were cut out of their carrier.
#[allow(missing_docs, reason = "the members of `*_refs` are documented in the schema")]
#[derive(Clone, Debug, PartialEq)]
pub struct Piece<'a> {
    pub role: Option<Role<'a>>,
    /// The attribute key (or prefix, or `event:name:key`) that carried it.
    pub source: Cow<'a, str>,
    pub form: Form,
    /// Exactly as sent (for [`Form::Flat`]: the JSON object that stands for the flattened keys).
    pub bytes: Cow<'a, str>,
    /// Whether they are known to be one whole JSON value.
    pub(crate) is_complete: bool,
    /// Their [`content_hash`], where it is known already.
    pub hash: Option<ContentHash>,
}

/// The name of a content: the first 128 bits of its BLAKE3 hash.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    let mut first = [0; 16];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    ContentHash(first)
}

/// One evaluation, feedback or annotation found on a span or log record.
#[allow(missing_docs, reason = "the columns of the same names are documented in the schema")]
#[derive(Clone, Debug, PartialEq)]
pub struct Score<'a> {
    pub target: ScoreTarget<'a>,
    pub name: Cow<'a, str>,
    /// numeric, boolean, categorical, text, correction.
    pub data_type: &'static str,
    pub value: Option<f64>,
    pub label: Option<Cow<'a, str>>,
    pub text: Option<Cow<'a, str>>,
    pub explanation: Option<Cow<'a, str>>,
    /// human, model, code, user.
    pub source: Option<Cow<'a, str>>,
    pub author: Option<Cow<'a, str>>,
    pub metadata: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// What a score is about.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreTarget<'a> {
    /// The span in whose context the record stands.
    ThisSpan,
    /// The span named by the span's single link (OpenInference feedback).
    LinkedSpan,
    /// The span above the one that carries the record (Logfire feedback).
    ParentSpan,
    /// The whole run.
    Run,
    /// The session.
    Session(Option<Cow<'a, str>>),
    /// A retrieved document, wherever it was retrieved; within the span or run where the record names one.
    Document(Cow<'a, str>),
}

/// What is emptied in its place: the record is large, and most of it is empty already.
trait Emptied {
    fn empty(&mut self);
}

impl<T> Emptied for Vec<T> {
    fn empty(&mut self) {
        self.clear();
    }
}

impl<T> Emptied for Option<T> {
    fn empty(&mut self) {
        *self = None;
    }
}

macro_rules! emptied_by_default {
    ($($kind:ty),+) => {
        $(impl Emptied for $kind {
            fn empty(&mut self) {
                *self = Self::default();
            }
        })+
    };
}

emptied_by_default!(bool, Kind, Dialect, Usage, Record<'_>);

macro_rules! empty {
    ($record:ident: $($field:ident)+) => {
        // Every field is named, so that none is forgotten.
        let Normalized { $($field),+ } = $record;
        $($field.empty();)+
    };
}

impl Normalized<'_> {
    /// Empties the record and keeps its buffers.
    pub fn clear(&mut self) {
        empty!(self:
            kind dialect operation framework provider request_model response_model response_id service_tier service
            service_version environment release team agent_name workflow_name workflow_version prompt_name
            prompt_version prompt_label prompt_template prompt_hash prompt_shape prompt_variables conversation_id
            user_id temperature top_p max_tokens seed request_params streaming ttft_ns finish_reasons usage
            usage_reported usage_flags input_semantics reported_cost_usd error_type error_class tool_name tool_call_id
            tool_type retrieval_query request_id tags metadata content_hash routing_hash policy_hash input_preview
            output_preview input output system tools payloads moved moved_event_attributes record moved_body scores
            flags
        );
    }
}
