//! What the crate answers: the canonical facts of one span or log record.

use std::borrow::Cow;

use tracewell_model::id::ContentHash;
use tracewell_model::kind::{Dialect, ErrorClass, Form, InputSemantics, Kind};

/// The canonical facts of one span or log record. Field names are column names.
///
/// The record is reused: [`Normalized::clear`] empties it and keeps its buffers.
#[allow(missing_docs, reason = "the columns of the same names are documented in the schema")]
#[derive(Clone, Debug)]
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

impl Normalized<'_> {
    /// Empties the record and keeps its buffers.
    pub fn clear(&mut self) {
        // Every field is named, so that none is forgotten.
        let Self {
            kind,
            dialect,
            operation,
            framework,
            provider,
            request_model,
            response_model,
            response_id,
            service_tier,
            service,
            service_version,
            environment,
            release,
            team,
            agent_name,
            workflow_name,
            workflow_version,
            prompt_name,
            prompt_version,
            prompt_label,
            prompt_template,
            prompt_hash,
            prompt_shape,
            prompt_variables,
            conversation_id,
            user_id,
            temperature,
            top_p,
            max_tokens,
            seed,
            request_params,
            streaming,
            ttft_ns,
            finish_reasons,
            usage,
            usage_reported,
            usage_flags,
            input_semantics,
            reported_cost_usd,
            error_type,
            error_class,
            tool_name,
            tool_call_id,
            tool_type,
            retrieval_query,
            request_id,
            tags,
            metadata,
            content_hash,
            routing_hash,
            policy_hash,
            input_preview,
            output_preview,
            input,
            output,
            system,
            tools,
            payloads,
            moved,
            moved_event_attributes,
            record,
            moved_body,
            scores,
            flags,
        } = self;
        *kind = Kind::Other;
        *dialect = Dialect::Plain;
        *operation = None;
        *framework = None;
        *provider = None;
        *request_model = None;
        *response_model = None;
        *response_id = None;
        *service_tier = None;
        *service = None;
        *service_version = None;
        *environment = None;
        *release = None;
        *team = None;
        *agent_name = None;
        *workflow_name = None;
        *workflow_version = None;
        *prompt_name = None;
        *prompt_version = None;
        *prompt_label = None;
        *prompt_template = None;
        *prompt_hash = None;
        *prompt_shape = None;
        *conversation_id = None;
        *user_id = None;
        *temperature = None;
        *top_p = None;
        *max_tokens = None;
        *seed = None;
        *streaming = None;
        *ttft_ns = None;
        *usage = Usage::default();
        *input_semantics = None;
        *reported_cost_usd = None;
        *error_type = None;
        *error_class = None;
        *tool_name = None;
        *tool_call_id = None;
        *tool_type = None;
        *retrieval_query = None;
        *request_id = None;
        *content_hash = None;
        *routing_hash = None;
        *policy_hash = None;
        *input_preview = None;
        *output_preview = None;
        *system = None;
        *tools = None;
        *record = Record::default();
        *moved_body = false;
        prompt_variables.clear();
        request_params.clear();
        finish_reasons.clear();
        usage_reported.clear();
        usage_flags.clear();
        tags.clear();
        metadata.clear();
        input.clear();
        output.clear();
        payloads.clear();
        moved.clear();
        moved_event_attributes.clear();
        scores.clear();
        flags.clear();
    }
}

impl Default for Normalized<'_> {
    fn default() -> Self {
        // Written out once; `clear` starts from it.
        Self {
            kind: Kind::Other,
            dialect: Dialect::Plain,
            operation: None,
            framework: None,
            provider: None,
            request_model: None,
            response_model: None,
            response_id: None,
            service_tier: None,
            service: None,
            service_version: None,
            environment: None,
            release: None,
            team: None,
            agent_name: None,
            workflow_name: None,
            workflow_version: None,
            prompt_name: None,
            prompt_version: None,
            prompt_label: None,
            prompt_template: None,
            prompt_hash: None,
            prompt_shape: None,
            prompt_variables: Vec::new(),
            conversation_id: None,
            user_id: None,
            temperature: None,
            top_p: None,
            max_tokens: None,
            seed: None,
            request_params: Vec::new(),
            streaming: None,
            ttft_ns: None,
            finish_reasons: Vec::new(),
            usage: Usage::default(),
            usage_reported: Vec::new(),
            usage_flags: Vec::new(),
            input_semantics: None,
            reported_cost_usd: None,
            error_type: None,
            error_class: None,
            tool_name: None,
            tool_call_id: None,
            tool_type: None,
            retrieval_query: None,
            request_id: None,
            tags: Vec::new(),
            metadata: Vec::new(),
            content_hash: None,
            routing_hash: None,
            policy_hash: None,
            input_preview: None,
            output_preview: None,
            input: Vec::new(),
            output: Vec::new(),
            system: None,
            tools: None,
            payloads: Vec::new(),
            moved: Vec::new(),
            moved_event_attributes: Vec::new(),
            record: Record::default(),
            moved_body: false,
            scores: Vec::new(),
            flags: Vec::new(),
        }
    }
}
