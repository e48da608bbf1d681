//! The run record as it is written and read.
//!
//! Names are those of the tables. What is not known is left out. Texts of messages, arguments, results and documents
//! stand once in [`RunRecord::contents`], by their hash: an agent sends its whole history again at each step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of this form; it rises when a member changes its meaning or goes.
pub const RECORD_VERSION: u32 = 1;

#[macro_use]
mod form;
mod missing;

use form::is_unsaid;
pub use missing::{Attribute, Completeness, Late, MissingParent, Redacted, Sampling};

records! {
    /// One run.
    RunRecord {
        record_version: u32,
        trace_id: String,
        tenant: String,
        name: Option<String>,
        kind: Option<String>,
        /// Status of the root; `error` where it is missing and a span failed.
        status: Option<String>,
        start_time: String,
        start_unix_nano: i64,
        duration_ns: i64,
        service: Option<String>,
        service_version: Option<String>,
        environment: Option<String>,
        release: Option<String>,
        team: Option<String>,
        conversation_id: Option<String>,
        user_id: Option<String>,
        workflow_name: Option<String>,
        workflow_version: Option<String>,
        tags: Vec<String>,
        metadata: BTreeMap<String, String>,
        /// What went into the root, else into the first model call.
        input: Vec<Message>,
        /// What came out of the root, else out of the last model call.
        output: Vec<Message>,
        prompts: Vec<Prompt>,
        tokens: Tokens,
        /// What the model calls cost in US dollars, exact, as far as they have a price.
        cost_usd: Option<String>,
        /// Model calls without a price in US dollars, which `cost_usd` leaves out.
        unpriced_calls: u64,
        calls: Vec<ModelCall>,
        tools: Vec<ToolCall>,
        retrievals: Vec<Retrieval>,
        interventions: Vec<Intervention>,
        scores: Vec<Score>,
        /// Depth first: a span stands before its children, children in the order of their start.
        spans: Vec<Span>,
        logs: Vec<Log>,
        completeness: Completeness,
        /// Texts by hash, exactly as sent.
        contents: BTreeMap<String, String>,
    }
    /// A reference into the contents.
    Message {
        role: Option<String>,
        hash: String,
        bytes: Option<i64>,
        source: Option<String>,
    }
    /// A prompt that calls of the run used.
    Prompt {
        name: Option<String>,
        version: Option<String>,
        label: Option<String>,
        hash: Option<String>,
        shape: Option<String>,
        /// The template, where it was sent as an attribute.
        template: Option<String>,
        /// The instructions that the model received: hashes into the contents, one for each text in use.
        instructions: Vec<String>,
        variables: BTreeMap<String, String>,
        /// The span ids of the calls.
        calls: Vec<String>,
    }
    /// Sums over the model calls, each counted once; absent where no call says.
    Tokens {
        input_tokens: Option<i64>,
        output_tokens: Option<i64>,
        cache_read_tokens: Option<i64>,
        cache_write_tokens: Option<i64>,
        reasoning_tokens: Option<i64>,
        calls_without_usage: u64,
    }
    /// One real model call, what repeats it merged in.
    ModelCall {
        span_id: String,
        parent_span_id: Option<String>,
        name: String,
        kind: String,
        /// From the start of the run.
        offset_ns: i64,
        duration_ns: Option<i64>,
        status: Option<String>,
        status_message: Option<String>,
        error_type: Option<String>,
        error_class: Option<String>,
        agent_name: Option<String>,
        provider: Option<String>,
        request_model: Option<String>,
        response_model: Option<String>,
        response_id: Option<String>,
        service_tier: Option<String>,
        prompt_name: Option<String>,
        prompt_version: Option<String>,
        prompt_label: Option<String>,
        prompt_hash: Option<String>,
        prompt_shape: Option<String>,
        prompt_variables: BTreeMap<String, String>,
        temperature: Option<f64>,
        top_p: Option<f64>,
        max_tokens: Option<i64>,
        seed: Option<i64>,
        request_params: BTreeMap<String, String>,
        streaming: Option<bool>,
        ttft_ns: Option<i64>,
        finish_reasons: Vec<String>,
        input_tokens: Option<i64>,
        output_tokens: Option<i64>,
        cache_read_tokens: Option<i64>,
        cache_write_tokens: Option<i64>,
        cache_write_5m_tokens: Option<i64>,
        cache_write_1h_tokens: Option<i64>,
        reasoning_tokens: Option<i64>,
        audio_input_tokens: Option<i64>,
        audio_output_tokens: Option<i64>,
        image_input_tokens: Option<i64>,
        usage_flags: Vec<String>,
        input_semantics: Option<String>,
        usage_reported: BTreeMap<String, String>,
        /// As the application reported it, in US dollars.
        reported_cost_usd: Option<String>,
        /// What it cost in US dollars, exact, by the prices in force at its time; absent where it has no price.
        cost_usd: Option<String>,
        unpriced_reason: Option<String>,
        currency: Option<String>,
        price_rule: Option<String>,
        price_source: Option<String>,
        catalogue: Option<String>,
        catalogue_version: Option<String>,
        prices_version: Option<String>,
        price_tier: Option<String>,
        price_context_over: Option<i64>,
        model_reading: Option<String>,
        count_reading: Option<String>,
        content_hash: Option<String>,
        routing_hash: Option<String>,
        policy_hash: Option<String>,
        system: Option<Message>,
        tools: Option<Message>,
        input: Vec<Message>,
        output: Vec<Message>,
        /// Spans and log records that tell of the same call.
        duplicates: Vec<SpanName>,
        reported_subtree_usage: Option<SubtreeUsage>,
    }
    /// Names a span.
    SpanName {
        trace_id: Option<String>,
        span_id: String,
    }
    /// What a span around a call reported for all calls within; not to be added up.
    SubtreeUsage {
        span_id: String,
        input_tokens: Option<i64>,
        output_tokens: Option<i64>,
    }
    /// One execution of a tool.
    ToolCall {
        span_id: String,
        parent_span_id: Option<String>,
        name: String,
        offset_ns: i64,
        duration_ns: Option<i64>,
        tool_name: Option<String>,
        tool_call_id: Option<String>,
        tool_type: Option<String>,
        agent_name: Option<String>,
        status: Option<String>,
        status_message: Option<String>,
        error_type: Option<String>,
        error_class: Option<String>,
        decision: Option<String>,
        decision_source: Option<String>,
        /// Hashes into the contents.
        arguments: Option<String>,
        result: Option<String>,
        duplicate_spans: i64,
    }
    /// One retrieval or reranking. Without documents it found none, or did not tell.
    Retrieval {
        span_id: String,
        parent_span_id: Option<String>,
        kind: String,
        offset_ns: i64,
        duration_ns: Option<i64>,
        status: Option<String>,
        error_class: Option<String>,
        query: Option<String>,
        documents: Vec<Document>,
    }
    /// A retrieved document.
    Document {
        position: Option<i64>,
        id: Option<String>,
        score: Option<f64>,
        hash: Option<String>,
        text: Option<String>,
    }
    /// What a person did to the run, or was asked.
    Intervention {
        time: String,
        /// approve, edit, reject or take_over; absent where nothing tells.
        action: Option<String>,
        /// As sent.
        decision: Option<String>,
        actor: Option<String>,
        /// Who or what decided, as sent.
        source: Option<String>,
        span_id: Option<String>,
        tool_name: Option<String>,
        tool_call_id: Option<String>,
        /// Hashes into the contents: what stood there, and what came of it.
        before: Option<String>,
        after: Option<String>,
        /// What a person says the output should have been.
        correction: Option<String>,
        /// What a reviewer wrote.
        comment: Option<String>,
    }
    /// A score, feedback, annotation or correction.
    Score {
        time: String,
        target: String,
        span_id: Option<String>,
        response_id: Option<String>,
        session_id: Option<String>,
        document_id: Option<String>,
        name: String,
        /// numeric, boolean, categorical, text, or correction.
        data_type: Option<String>,
        value: Option<f64>,
        label: Option<String>,
        /// What was said in free text; of a correction what the output should have been.
        text: Option<String>,
        explanation: Option<String>,
        source: Option<String>,
        author: Option<String>,
        /// When its judge judged the same again; absent of a last word.
        superseded_at: Option<String>,
        metadata: BTreeMap<String, String>,
    }
    /// One span, the times it was sent again merged; or a log record that stands for one.
    Span {
        span_id: String,
        parent_span_id: Option<String>,
        depth: usize,
        name: String,
        kind: String,
        dialect: String,
        scope_name: Option<String>,
        scope_version: Option<String>,
        service: Option<String>,
        offset_ns: i64,
        duration_ns: Option<i64>,
        status: Option<String>,
        status_message: Option<String>,
        error_type: Option<String>,
        error_class: Option<String>,
        agent_name: Option<String>,
        tool_name: Option<String>,
        model: Option<String>,
        /// As this span reports them; several spans may report one call.
        input_tokens: Option<i64>,
        output_tokens: Option<i64>,
        flags: Vec<String>,
        usage_flags: Vec<String>,
        /// Empty where the span is that of a call, which has them.
        input: Vec<Message>,
        output: Vec<Message>,
        payloads: Vec<Message>,
        events: Vec<Event>,
        links: Vec<SpanName>,
        /// It is a log record.
        record: Option<bool>,
        /// Only its start has been told.
        unfinished: Option<bool>,
        received_at: String,
    }
    /// An event of a span.
    Event {
        offset_ns: i64,
        name: String,
        attributes: BTreeMap<String, String>,
    }
    /// A log record of the run.
    Log {
        time: String,
        offset_ns: i64,
        span_id: Option<String>,
        event_name: Option<String>,
        severity: Option<String>,
        body: Option<String>,
    }
}

always_said!(Tokens);

impl ModelCall {
    /// The model that answered, else the one asked for.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.response_model.as_deref().or(self.request_model.as_deref())
    }
}

impl RunRecord {
    /// The text behind a hash, unless it has expired.
    #[must_use]
    pub fn text(&self, hash: &str) -> Option<&str> {
        self.contents.get(hash).map(String::as_str)
    }
}
