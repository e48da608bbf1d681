//! Decoded requests to rows of the fact tables.
//!
//! One [`Rows`] collects what a shard has received since its last seal, apart for each day. It is filled again the
//! same way from the write-ahead log after a crash, so nothing here may depend on the clock or on chance.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use tracewell_dialects::{LogInput, Normalized, Normalizer, Piece, ResourceFacts, ScoreTarget, SpanInput};
use tracewell_model::id::{ContentHash, Hex, span_id, trace_id};
use tracewell_model::kind::Dialect;
use tracewell_model::time::{Day, believed_start};
use tracewell_model::{MAPPING_VERSION, schema};
use tracewell_otlp::{
    AnyValue, Decoder, KeyValue, Limits, LogIndex, LogRecord, MalformedRequest, Refusal, Resource, Scope, Span,
    TraceIndex,
};

use crate::columns::{
    Columns, MapEntries, Reference, member_map, member_optional_int, member_optional_text, member_text,
};
use crate::names::{contents as c, logs as l, scores as e, spans as s};
use crate::seen::SeenContents;

/// Where a request stands in the log, and when and for whom it came.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// Its sequence number in the shard's write-ahead log.
    pub seq: u64,
    /// When it was received, in nanoseconds since 1970.
    pub received_at: i64,
    /// The tenant of its credential.
    pub tenant: &'a str,
}

/// What became of the spans or records of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many were taken in.
    pub accepted: u64,
    /// How many can never be.
    pub rejected: u64,
    /// Why, for the first few.
    pub reasons: Vec<String>,
}

/// Reasons beyond these are only counted.
const REASONS_TOLD: usize = 5;

impl Outcome {
    fn count(&mut self, position: usize, refused: Option<Refusal>) {
        let Some(refusal) = refused else {
            self.accepted += 1;
            return;
        };
        self.rejected += 1;
        if self.reasons.len() < REASONS_TOLD {
            self.reasons.push(format!("number {position}: {refusal}"));
        }
    }
}

struct DayRows {
    spans: Columns,
    logs: Columns,
    contents: Columns,
    scores: Columns,
}

impl DayRows {
    fn new() -> Self {
        Self {
            spans: Columns::new(&schema::SPANS),
            logs: Columns::new(&schema::LOGS),
            contents: Columns::new(&schema::CONTENTS),
            scores: Columns::new(&schema::SCORES),
        }
    }

    fn tables(&mut self) -> [(&'static str, &mut Columns); 4] {
        [
            (schema::CONTENTS.name, &mut self.contents),
            (schema::LOGS.name, &mut self.logs),
            (schema::SCORES.name, &mut self.scores),
            (schema::SPANS.name, &mut self.spans),
        ]
    }
}

/// The rows of each table and day that one [`Rows::take`] gives.
pub type TakenRows = Vec<(&'static str, Day, RecordBatch)>;

/// Rows under construction.
pub struct Rows {
    normalizer: Normalizer,
    limits: Limits,
    days: HashMap<Day, DayRows>,
    seen: SeenContents,
    text: String,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Rows {
    /// No rows yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            normalizer: Normalizer::new(),
            limits,
            days: HashMap::new(),
            seen: SeenContents::new(None),
            text: String::new(),
        }
    }

    /// Contents expire after `retention`; never when `None`.
    #[must_use]
    pub fn with_contents_retention(mut self, retention: Option<std::time::Duration>) -> Self {
        self.seen = SeenContents::new(retention);
        self
    }

    /// Forgets which contents `day` holds: it loses some, and whatever comes from here on is stored again.
    pub fn forget_contents(&mut self, day: Day) {
        self.seen.forget(day);
    }

    /// About how much memory the rows take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.days
            .values()
            .map(|day| day.spans.bytes() + day.logs.bytes() + day.contents.bytes() + day.scores.bytes())
            .sum()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.values().all(|day| day.spans.rows() + day.logs.rows() + day.contents.rows() + day.scores.rows() == 0)
    }

    /// The rows so far; the tables start again empty. What contents a day holds stays remembered.
    pub fn take(&mut self) -> TakenRows {
        let mut taken = Vec::new();
        for (day, mut rows) in self.days.drain() {
            for (table, columns) in rows.tables() {
                if columns.rows() > 0 {
                    taken.push((table, day, columns.finish()));
                }
            }
        }
        taken
    }

    /// Takes in an `ExportTraceServiceRequest`.
    ///
    /// # Errors
    /// When its framing is broken; nothing is taken in then.
    pub fn traces(&mut self, body: &[u8], receipt: Receipt<'_>) -> Result<Outcome, MalformedRequest> {
        let index = tracewell_otlp::index_traces(body)?;
        Ok(self.indexed_traces(body, &index, receipt))
    }

    fn indexed_traces(&mut self, body: &[u8], index: &TraceIndex, receipt: Receipt<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut decoder = Decoder::new(self.limits);
        let mut normalized = Normalized::default();
        let (mut of_resource, mut of_scope) = (Vec::new(), Vec::new());
        let mut position = 0;
        for spans in index.spans().chunk_by(|a, b| a.scope == b.scope) {
            let resource =
                decoder.decode_resource(body, &index.resources()[spans[0].resource as usize], &mut of_resource);
            let scope = decoder.decode_scope(body, &index.scopes()[spans[0].scope as usize], &mut of_scope);
            let source = Source::of(resource, scope, receipt);
            for entry in spans {
                let refused = match &source {
                    Ok(source) => match decoder.decode_span(entry.bytes(body)) {
                        Ok(span) => {
                            self.span(&span, source, &mut normalized);
                            None
                        }
                        Err(refusal) => Some(refusal),
                    },
                    Err(refusal) => Some(*refusal),
                };
                outcome.count(position, refused);
                position += 1;
            }
        }
        outcome
    }

    /// Takes in an `ExportLogsServiceRequest`.
    ///
    /// # Errors
    /// When its framing is broken; nothing is taken in then.
    pub fn logs(&mut self, body: &[u8], receipt: Receipt<'_>) -> Result<Outcome, MalformedRequest> {
        let index: LogIndex = tracewell_otlp::index_logs(body)?;
        let mut outcome = Outcome::default();
        let mut decoder = Decoder::new(self.limits);
        let mut normalized = Normalized::default();
        let (mut of_resource, mut of_scope) = (Vec::new(), Vec::new());
        let mut position = 0;
        for records in index.records().chunk_by(|a, b| a.scope == b.scope) {
            let resource =
                decoder.decode_resource(body, &index.resources()[records[0].resource as usize], &mut of_resource);
            let scope = decoder.decode_scope(body, &index.scopes()[records[0].scope as usize], &mut of_scope);
            let source = Source::of(resource, scope, receipt);
            for entry in records {
                let refused = match &source {
                    Ok(source) => match decoder.decode_log(entry.bytes(body)) {
                        Ok(record) => {
                            self.log(&record, source, &mut normalized);
                            None
                        }
                        Err(refusal) => Some(refusal),
                    },
                    Err(refusal) => Some(*refusal),
                };
                outcome.count(position, refused);
                position += 1;
            }
        }
        Ok(outcome)
    }

    fn span<'a>(&mut self, span: &Span<'_, 'a>, source: &Source<'_, 'a>, n: &mut Normalized<'a>) {
        let Source { resource, scope, facts, receipt } = source;
        let receipt = *receipt;
        let input = SpanInput {
            scope_name: scope.name,
            scope_version: scope.version,
            name: span.name,
            span_kind: span.kind,
            status_code: span.status_code,
            status_message: span.status_message,
            is_root: span.parent_span_id.is_none(),
            start_unix_nano: span.start_unix_nano,
            end_unix_nano: span.end_unix_nano,
            attributes: span.attributes,
            resource: resource.attributes,
            events: span.events,
        };
        self.normalizer.span(&input, n);

        let (believed, odd_time) = believed_start(span.start_unix_nano, receipt.received_at);
        let day = Day::of(believed);
        let trace = trace_id(&span.trace_id);
        let own = span_id(&span.span_id);
        let seen = self.seen.of(day, receipt.received_at);
        let rows = self.days.entry(day).or_insert_with(DayRows::new);
        let to_contents = &mut Contents { columns: &mut rows.contents, seen, receipt };
        let to = &mut rows.spans;

        to.text(s::TRACE_ID, trace.as_str());
        to.text(s::SPAN_ID, own.as_str());
        if let Some(parent) = &span.parent_span_id {
            to.text(s::PARENT_SPAN_ID, span_id(parent).as_str());
        }
        some_text(to, s::TRACE_STATE, non_empty(span.trace_state));
        if span.flags != 0 {
            to.int(s::TRACE_FLAGS, i64::from(span.flags));
        }
        to.text(s::NAME, span.name);
        some_text(to, s::SPAN_KIND, span_kind(span.kind));
        to.text(s::KIND, n.kind.as_str());
        to.text(s::DIALECT, n.dialect.as_str());
        some_text(to, s::SCOPE_NAME, non_empty(scope.name));
        some_text(to, s::SCOPE_VERSION, non_empty(scope.version));
        if !scope.attributes.is_empty() {
            let text = &mut self.text;
            to.map(s::SCOPE_ATTRIBUTES, |map| scope.attributes.iter().for_each(|pair| push(map, pair, text)));
        }
        some_text(to, s::SCHEMA_URL, non_empty(scope.schema_url).or(non_empty(resource.schema_url)));
        some_text(to, s::SERVICE, facts.service.or(n.service.as_deref()));
        some_text(to, s::SERVICE_VERSION, facts.service_version.or(n.service_version.as_deref()));
        some_text(to, s::ENVIRONMENT, n.environment.as_deref().or(facts.environment));
        some_text(to, s::RELEASE, n.release.as_deref().or(facts.release));
        to.text(s::TENANT, receipt.tenant);
        some_text(to, s::TEAM, n.team.as_deref().or(facts.team));

        let start = i64::try_from(span.start_unix_nano).unwrap_or(i64::MAX);
        let end = i64::try_from(span.end_unix_nano).unwrap_or(i64::MAX);
        to.int(s::START_TIME, start / 1_000);
        to.int(s::END_TIME, end / 1_000);
        to.int(s::START_UNIX_NANO, start);
        to.int(s::DURATION_NS, end - start);
        match span.status_code {
            1 => to.text(s::STATUS, "ok"),
            2 => to.text(s::STATUS, "error"),
            _ => {}
        }
        some_text(to, s::STATUS_MESSAGE, non_empty(span.status_message));
        // The application's own spans state these for the calls beneath them.
        some_text(to, s::CONVERSATION_ID, n.conversation_id.as_deref());
        some_text(to, s::USER_ID, n.user_id.as_deref());
        if n.dialect != Dialect::Plain || n.error_type.is_some() {
            some_text(to, s::ERROR_TYPE, n.error_type.as_deref());
            some_text(to, s::ERROR_CLASS, n.error_class.map(|class| class.as_str()));
        }
        if n.dialect != Dialect::Plain {
            facts_of_llm_span(to, n);
            contents_of(to, n, to_contents, &SPAN_REFS);
        }
        // Order matters to nobody, presence does: what was moved is rebuilt from the references.
        let text = &mut self.text;
        attributes(to, s::ATTRIBUTES, s::ATTRIBUTE_TYPES, span.attributes, &n.moved, text);
        if !resource.attributes.is_empty() {
            to.map(s::RESOURCE_ATTRIBUTES, |map| resource.attributes.iter().for_each(|pair| push(map, pair, text)));
        }
        if !span.events.is_empty() {
            to.structs(s::EVENTS, |events, bytes| {
                for (at, event) in span.events.iter().enumerate() {
                    member_optional_int(events, 0, Some(event.time_unix_nano as i64));
                    member_text(events, 1, event.name);
                    member_map(events, 2, |map| {
                        for (position, pair) in event.attributes.iter().enumerate() {
                            if !n.moved_event_attributes.contains(&(at as u32, position as u32)) {
                                push(map, &pair, text);
                            }
                        }
                    });
                    member_optional_int(events, 3, some_count(event.dropped_attributes_count));
                    events.append(true);
                    *bytes += event.name.len() + 64;
                }
            });
        }
        if !span.links.is_empty() {
            to.structs(s::LINKS, |links, bytes| {
                for link in span.links {
                    member_optional_text(links, 0, link.trace_id.as_ref().map(trace_id).as_ref().map(Hex::as_str));
                    member_optional_text(links, 1, link.span_id.as_ref().map(span_id).as_ref().map(Hex::as_str));
                    member_optional_text(links, 2, non_empty(link.trace_state));
                    member_map(links, 3, |map| link.attributes.iter().for_each(|pair| push(map, &pair, text)));
                    member_optional_int(links, 4, some_count(link.dropped_attributes_count));
                    links.append(true);
                    *bytes += 128;
                }
            });
        }
        some_int(to, s::DROPPED_ATTRIBUTES, some_count(span.dropped_attributes_count));
        some_int(to, s::DROPPED_EVENTS, some_count(span.dropped_events_count));
        some_int(to, s::DROPPED_LINKS, some_count(span.dropped_links_count));
        let odd_end = (end < start).then_some("end_before_start");
        let odd_time = odd_time.then_some("time_not_believed");
        flags(to, s::FLAGS, n.flags.iter().copied().chain(odd_end).chain(odd_time));
        to.int(s::RECEIVED_AT, receipt.received_at / 1_000);
        to.int(s::SEQ, receipt.seq as i64);
        to.int(s::MAPPING_VERSION, i64::from(MAPPING_VERSION));
        to.end_row();

        if !n.scores.is_empty() {
            let link = span.links.first().and_then(|link| link.trace_id.zip(link.span_id));
            let place =
                ScorePlace { time: span.start_unix_nano, trace: Some(span.trace_id), span: Some(span.span_id), link };
            self.scores(&place, source, n);
        }
    }

    fn log<'a>(&mut self, record: &LogRecord<'_, 'a>, source: &Source<'_, 'a>, n: &mut Normalized<'a>) {
        let Source { resource, scope, facts, receipt } = source;
        let receipt = *receipt;
        let input = LogInput {
            scope_name: scope.name,
            event_name: record.event_name,
            body: record.body,
            attributes: record.attributes,
            resource: resource.attributes,
        };
        self.normalizer.log(&input, n);
        let time = if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano };
        let (believed, odd_time) = believed_start(time, receipt.received_at);
        let day = Day::of(believed);
        let seen = self.seen.of(day, receipt.received_at);
        let rows = self.days.entry(day).or_insert_with(DayRows::new);
        let to_contents = &mut Contents { columns: &mut rows.contents, seen, receipt };
        let to = &mut rows.logs;

        if let Some(id) = &record.trace_id {
            to.text(l::TRACE_ID, trace_id(id).as_str());
        }
        if let Some(id) = &record.span_id {
            to.text(l::SPAN_ID, span_id(id).as_str());
        }
        to.int(l::TIME, believed / 1_000);
        to.int(l::TIME_UNIX_NANO, believed);
        let event_name = non_empty(record.event_name).or_else(|| {
            record.attributes.iter().find(|pair| pair.key == "event.name").and_then(|pair| pair.value.as_str())
        });
        some_text(to, l::EVENT_NAME, event_name);
        if let Some(severity) = non_empty(record.severity_text) {
            to.text(l::SEVERITY, severity);
        } else if record.severity_number != 0 {
            to.text(l::SEVERITY, &record.severity_number.to_string());
        }
        some_text(to, l::SCOPE_NAME, non_empty(scope.name));
        some_text(to, l::SCOPE_VERSION, non_empty(scope.version));
        some_text(to, l::SERVICE, facts.service);
        some_text(to, l::ENVIRONMENT, n.environment.as_deref().or(facts.environment));
        to.text(l::TENANT, receipt.tenant);
        some_text(to, l::CONVERSATION_ID, n.conversation_id.as_deref());
        some_text(to, l::USER_ID, n.user_id.as_deref());
        some_text(to, l::REQUEST_ID, n.request_id.as_deref());
        let text = &mut self.text;
        if !n.moved_body {
            text.clear();
            match record.body {
                AnyValue::Empty => {}
                AnyValue::Str(body) => to.text(l::BODY, body),
                body => {
                    body.write_json(text);
                    to.text(l::BODY, text);
                }
            }
        }
        match record.body {
            AnyValue::Empty => {}
            AnyValue::Str(_) => to.text(l::BODY_TYPE, "string"),
            body => some_text(to, l::BODY_TYPE, type_name(&body)),
        }
        contents_of(to, n, to_contents, &LOG_REFS);
        attributes(to, l::ATTRIBUTES, l::ATTRIBUTE_TYPES, record.attributes, &n.moved, text);
        if !resource.attributes.is_empty() {
            to.map(l::RESOURCE_ATTRIBUTES, |map| resource.attributes.iter().for_each(|pair| push(map, pair, text)));
        }
        let odd_time = odd_time.then_some("time_not_believed");
        flags(to, l::FLAGS, n.flags.iter().copied().chain(odd_time));
        to.int(l::RECEIVED_AT, receipt.received_at / 1_000);
        to.int(l::SEQ, receipt.seq as i64);
        to.int(l::MAPPING_VERSION, i64::from(MAPPING_VERSION));
        to.end_row();
        if !n.scores.is_empty() {
            let place = ScorePlace { time, trace: record.trace_id, span: record.span_id, link: None };
            self.scores(&place, source, n);
        }
    }

    fn scores(&mut self, place: &ScorePlace, source: &Source<'_, '_>, n: &Normalized<'_>) {
        let receipt = source.receipt;
        let (time, _) = believed_start(place.time, receipt.received_at);
        let rows = self.days.entry(Day::of(time)).or_insert_with(DayRows::new);
        let to = &mut rows.scores;
        for score in &n.scores {
            let (target, trace, span) = match &score.target {
                ScoreTarget::ThisSpan => ("span", place.trace, place.span),
                ScoreTarget::LinkedSpan => match place.link {
                    Some((trace, span)) => ("span", Some(trace), Some(span)),
                    None => ("span", place.trace, place.span),
                },
                ScoreTarget::Run => ("run", place.link.map(|(trace, _)| trace).or(place.trace), None),
                ScoreTarget::Session(_) => ("session", None, None),
                ScoreTarget::Response(_) => ("span", place.trace, place.span),
            };
            to.int(e::TIME, time / 1_000);
            to.int(e::TIME_UNIX_NANO, time);
            to.text(e::TENANT, receipt.tenant);
            to.text(e::TARGET, target);
            if let Some(id) = &trace {
                to.text(e::TRACE_ID, trace_id(id).as_str());
            }
            if let Some(id) = &span {
                to.text(e::SPAN_ID, span_id(id).as_str());
            }
            match &score.target {
                ScoreTarget::Response(id) => to.text(e::RESPONSE_ID, id),
                ScoreTarget::Session(id) => {
                    some_text(to, e::SESSION_ID, id.as_deref().or(n.conversation_id.as_deref()))
                }
                _ => some_text(to, e::RESPONSE_ID, n.response_id.as_deref()),
            }
            to.text(e::NAME, &score.name);
            if let Some(value) = score.value {
                to.double(e::VALUE, value);
            }
            some_text(to, e::LABEL, score.label.as_deref());
            some_text(to, e::EXPLANATION, score.explanation.as_deref());
            some_text(to, e::SOURCE, score.source.as_deref());
            some_text(to, e::AUTHOR, score.author.as_deref());
            if !score.metadata.is_empty() {
                to.map(e::METADATA, |map| score.metadata.iter().for_each(|(key, value)| map.push(key, value)));
            }
            some_text(to, e::SERVICE, source.facts.service);
            to.int(e::RECEIVED_AT, receipt.received_at / 1_000);
            to.int(e::SEQ, receipt.seq as i64);
            to.end_row();
        }
    }
}

/// What stands around a span or record in its request.
struct Source<'s, 'a> {
    resource: Resource<'s, 'a>,
    scope: Scope<'s, 'a>,
    facts: ResourceFacts<'a>,
    receipt: Receipt<'s>,
}

impl<'s, 'a> Source<'s, 'a> {
    fn of(
        resource: Result<Resource<'s, 'a>, Refusal>,
        scope: Result<Scope<'s, 'a>, Refusal>,
        receipt: Receipt<'s>,
    ) -> Result<Self, Refusal> {
        let resource = resource?;
        let facts = ResourceFacts::of(resource.attributes);
        Ok(Self { resource, scope: scope?, facts, receipt })
    }
}

struct ScorePlace {
    time: u64,
    trace: Option<[u8; 16]>,
    span: Option<[u8; 8]>,
    link: Option<([u8; 16], [u8; 8])>,
}

/// The facts of a span of any LLM dialect.
fn facts_of_llm_span(to: &mut Columns, n: &Normalized<'_>) {
    some_text(to, s::OPERATION, n.operation.as_deref());
    some_text(to, s::FRAMEWORK, n.framework.as_deref());
    some_text(to, s::PROVIDER, n.provider.as_deref());
    some_text(to, s::REQUEST_MODEL, n.request_model.as_deref());
    some_text(to, s::RESPONSE_MODEL, n.response_model.as_deref());
    some_text(to, s::RESPONSE_ID, n.response_id.as_deref());
    some_text(to, s::SERVICE_TIER, n.service_tier.as_deref());
    some_text(to, s::AGENT_NAME, n.agent_name.as_deref());
    some_text(to, s::WORKFLOW_NAME, n.workflow_name.as_deref());
    some_text(to, s::WORKFLOW_VERSION, n.workflow_version.as_deref());
    some_text(to, s::PROMPT_NAME, n.prompt_name.as_deref());
    some_text(to, s::PROMPT_VERSION, n.prompt_version.as_deref());
    some_text(to, s::PROMPT_LABEL, n.prompt_label.as_deref());
    some_hash(to, s::PROMPT_HASH, n.prompt_hash);
    some_hash(to, s::PROMPT_SHAPE, n.prompt_shape);
    if !n.prompt_variables.is_empty() {
        to.map(s::PROMPT_VARIABLES, |map| n.prompt_variables.iter().for_each(|(key, value)| map.push(key, value)));
    }
    if let Some(temperature) = n.temperature {
        to.double(s::TEMPERATURE, temperature);
    }
    if let Some(top_p) = n.top_p {
        to.double(s::TOP_P, top_p);
    }
    some_int(to, s::MAX_TOKENS, n.max_tokens);
    some_int(to, s::SEED, n.seed);
    if !n.request_params.is_empty() {
        to.map(s::REQUEST_PARAMS, |map| n.request_params.iter().for_each(|(key, value)| map.push(key, value)));
    }
    if let Some(streaming) = n.streaming {
        to.bool(s::STREAMING, streaming);
    }
    some_int(to, s::TTFT_NS, n.ttft_ns);
    if !n.finish_reasons.is_empty() {
        to.list(s::FINISH_REASONS, n.finish_reasons.iter().map(AsRef::as_ref));
    }
    some_int(to, s::INPUT_TOKENS, n.usage.input_tokens);
    some_int(to, s::OUTPUT_TOKENS, n.usage.output_tokens);
    some_int(to, s::CACHE_READ_TOKENS, n.usage.cache_read_tokens);
    some_int(to, s::CACHE_WRITE_TOKENS, n.usage.cache_write_tokens);
    some_int(to, s::CACHE_WRITE_5M_TOKENS, n.usage.cache_write_5m_tokens);
    some_int(to, s::CACHE_WRITE_1H_TOKENS, n.usage.cache_write_1h_tokens);
    some_int(to, s::REASONING_TOKENS, n.usage.reasoning_tokens);
    some_int(to, s::AUDIO_INPUT_TOKENS, n.usage.audio_input_tokens);
    some_int(to, s::AUDIO_OUTPUT_TOKENS, n.usage.audio_output_tokens);
    some_int(to, s::IMAGE_INPUT_TOKENS, n.usage.image_input_tokens);
    if !n.usage_reported.is_empty() {
        to.map(s::USAGE_REPORTED, |map| n.usage_reported.iter().for_each(|(key, value)| map.push(key, value)));
    }
    flags(to, s::USAGE_FLAGS, n.usage_flags.iter().copied());
    some_text(to, s::INPUT_SEMANTICS, n.input_semantics.map(|semantics| semantics.as_str()));
    some_text(to, s::REPORTED_COST_USD, n.reported_cost_usd.as_deref());
    some_text(to, s::TOOL_NAME, n.tool_name.as_deref());
    some_text(to, s::TOOL_CALL_ID, n.tool_call_id.as_deref());
    some_text(to, s::TOOL_TYPE, n.tool_type.as_deref());
    some_text(to, s::RETRIEVAL_QUERY, n.retrieval_query.as_deref());
    if !n.tags.is_empty() {
        to.list(s::TAGS, n.tags.iter().map(AsRef::as_ref));
    }
    if !n.metadata.is_empty() {
        to.map(s::METADATA, |map| n.metadata.iter().for_each(|(key, value)| map.push(key, value)));
    }
    some_hash(to, s::CONTENT_HASH, n.content_hash);
    some_hash(to, s::ROUTING_HASH, n.routing_hash);
    some_hash(to, s::POLICY_HASH, n.policy_hash);
    some_text(to, s::INPUT_PREVIEW, n.input_preview.as_deref());
    some_text(to, s::OUTPUT_PREVIEW, n.output_preview.as_deref());
}

/// Which columns hold the references of a table.
struct RefColumns {
    input: usize,
    output: usize,
    system: usize,
    tools: usize,
    payloads: Option<usize>,
}

const SPAN_REFS: RefColumns = RefColumns {
    input: s::INPUT_REFS,
    output: s::OUTPUT_REFS,
    system: s::SYSTEM_REF,
    tools: s::TOOLS_REF,
    payloads: Some(s::PAYLOAD_REFS),
};

const LOG_REFS: RefColumns = RefColumns {
    input: l::INPUT_REFS,
    output: l::OUTPUT_REFS,
    system: l::SYSTEM_REF,
    tools: l::TOOLS_REF,
    payloads: None,
};

/// Stores the contents of a span or record and refers to them.
fn contents_of(to: &mut Columns, n: &Normalized<'_>, contents: &mut Contents<'_>, columns: &RefColumns) {
    let lists = [(Some(columns.input), &n.input), (Some(columns.output), &n.output), (columns.payloads, &n.payloads)];
    for (column, pieces) in lists {
        if let (Some(column), false) = (column, pieces.is_empty()) {
            let hashes: Vec<_> = pieces.iter().map(|piece| contents.store(piece).hex()).collect();
            let references = pieces.iter().zip(&hashes).map(|(piece, hash)| reference(piece, hash.as_str()));
            to.references(column, references);
        }
    }
    for (column, piece) in [(columns.system, &n.system), (columns.tools, &n.tools)] {
        if let Some(piece) = piece {
            let hash = contents.store(piece).hex();
            to.reference(column, reference(piece, hash.as_str()));
        }
    }
}

fn reference<'t>(piece: &'t Piece<'_>, hash: &'t str) -> Reference<'t> {
    Reference {
        hash,
        role: piece.role.as_deref(),
        bytes: piece.bytes.len() as i64,
        source: &piece.source,
        form: piece.form.as_str(),
    }
}

/// The `contents` of one day.
struct Contents<'r> {
    columns: &'r mut Columns,
    seen: &'r mut std::collections::HashSet<ContentHash>,
    receipt: Receipt<'r>,
}

impl Contents<'_> {
    /// Stores a content unless the day holds it.
    fn store(&mut self, piece: &Piece<'_>) -> ContentHash {
        let hash = content_hash(piece.bytes.as_bytes());
        if self.seen.insert(hash) {
            let to = &mut *self.columns;
            to.text(c::HASH, hash.hex().as_str());
            to.text(c::TENANT, self.receipt.tenant);
            some_text(to, c::ROLE, piece.role.as_deref());
            to.int(c::BYTES, piece.bytes.len() as i64);
            to.text(c::CONTENT, &piece.bytes);
            to.int(c::RECEIVED_AT, self.receipt.received_at / 1_000);
            to.int(c::SEQ, self.receipt.seq as i64);
            to.end_row();
        }
        hash
    }
}

/// The name of a content: the first 128 bits of its BLAKE3 hash.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    let hash = blake3::hash(bytes);
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    ContentHash(short)
}

/// Writes the attributes that stay, and the types of those that were not text. Where a key repeats, the last counts.
fn attributes(
    to: &mut Columns,
    column: usize,
    types_column: usize,
    attributes: &[KeyValue<'_>],
    moved: &[u32],
    text: &mut String,
) {
    if attributes.is_empty() {
        return;
    }
    to.map(column, |map| {
        for (position, pair) in attributes.iter().enumerate() {
            if moved.binary_search(&(position as u32)).is_err() && !is_repeated(attributes, position) {
                push(map, pair, text);
            }
        }
    });
    // Moved attributes have a type too: what is rebuilt from `contents` is text.
    if attributes.iter().any(|pair| !matches!(pair.value, AnyValue::Str(_))) {
        to.map(types_column, |map| {
            for (position, pair) in attributes.iter().enumerate() {
                if let (Some(name), false) = (type_name(&pair.value), is_repeated(attributes, position)) {
                    map.push(pair.key, name);
                }
            }
        });
    }
}

/// Whether a later attribute has the same key.
fn is_repeated(attributes: &[KeyValue<'_>], position: usize) -> bool {
    let key = attributes[position].key;
    attributes[position + 1..].iter().any(|later| later.key.len() == key.len() && later.key == key)
}

fn push(map: &mut MapEntries<'_>, pair: &KeyValue<'_>, text: &mut String) {
    match pair.value {
        AnyValue::Str(value) => map.push(pair.key, value),
        AnyValue::Bool(true) => map.push(pair.key, "true"),
        AnyValue::Bool(false) => map.push(pair.key, "false"),
        value => {
            text.clear();
            value.write_json(text);
            map.push(pair.key, text);
        }
    }
}

fn type_name(value: &AnyValue<'_>) -> Option<&'static str> {
    Some(match value {
        AnyValue::Str(_) => return None,
        AnyValue::Empty => "empty",
        AnyValue::Bool(_) => "bool",
        AnyValue::Int(_) => "int",
        AnyValue::Double(_) => "double",
        AnyValue::Array(_) => "array",
        AnyValue::KvList(_) => "kvlist",
        AnyValue::Bytes(_) => "bytes",
    })
}

/// OpenTelemetry's names of the span kinds.
fn span_kind(kind: i32) -> Option<&'static str> {
    ["internal", "server", "client", "producer", "consumer"].get(usize::try_from(kind).ok()?.checked_sub(1)?).copied()
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn some_count(count: u32) -> Option<i64> {
    (count != 0).then_some(i64::from(count))
}

fn some_text(to: &mut Columns, column: usize, value: Option<&str>) {
    if let Some(value) = value {
        to.text(column, value);
    }
}

fn some_int(to: &mut Columns, column: usize, value: Option<i64>) {
    if let Some(value) = value {
        to.int(column, value);
    }
}

fn some_hash(to: &mut Columns, column: usize, value: Option<[u8; 16]>) {
    if let Some(hash) = value {
        to.text(column, ContentHash(hash).hex().as_str());
    }
}

fn flags<'t>(to: &mut Columns, column: usize, flags: impl Iterator<Item = &'t str> + Clone) {
    if flags.clone().next().is_some() {
        to.list(column, flags);
    }
}
