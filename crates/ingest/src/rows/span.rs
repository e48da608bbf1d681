//! A span as a row of `spans`.

use tracewell_dialects::{Normalized, SpanInput};
use tracewell_model::MAPPING_VERSION;
use tracewell_model::id::{Hex, span_id, trace_id};
use tracewell_model::kind::Dialect;
use tracewell_model::time::{Day, believed_start};
use tracewell_otlp::Span;

use super::cells::{attributes, flags, nanos, non_empty, push_list, some_count, some_hash, some_int, some_text, told};
use super::content::{Contents, SPAN_REFS, contents_of};
use super::score::ScorePlace;
use super::{DayRows, REPEATED_KEY, Rows, Source};
use crate::columns::{Columns, member_map, member_optional_int, member_optional_text, member_text};
use crate::names::spans as s;

impl Rows {
    pub(super) fn span<'a>(&mut self, span: &Span<'_, 'a>, source: &Source<'_, 'a>, n: &mut Normalized<'a>) {
        let Source { resource, resource_keys, scope, scope_keys, facts, receipt } = source;
        let receipt = *receipt;
        self.normalizer.span(&SpanInput::of(span, scope, resource.attributes), n);

        let (believed, odd_time) = believed_start(span.start_unix_nano, receipt.received_at);
        let day = Day::of(believed);
        let trace = trace_id(&span.trace_id);
        let own = span_id(&span.span_id);
        let rows = self.days.entry(day).or_insert_with(|| DayRows::new(day, self.last));
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
            to.map(s::SCOPE_ATTRIBUTES, |map| scope_keys.push(map, scope.attributes, |_| true, text));
        }
        some_text(to, s::SCHEMA_URL, non_empty(scope.schema_url).or(non_empty(resource.schema_url)));
        some_text(to, s::SERVICE, facts.service.or(n.service.as_deref()));
        some_text(to, s::SERVICE_VERSION, facts.service_version.or(n.service_version.as_deref()));
        some_text(to, s::ENVIRONMENT, n.environment.as_deref().or(facts.environment));
        some_text(to, s::RELEASE, n.release.as_deref().or(facts.release));
        to.text(s::TENANT, receipt.tenant);
        some_text(to, s::TEAM, n.team.as_deref().or(facts.team));

        let (start, end) = (nanos(span.start_unix_nano), nanos(span.end_unix_nano));
        let times = [span.start_unix_nano, span.end_unix_nano].into_iter();
        let mut times = times.chain(span.events.iter().map(|event| event.time_unix_nano));
        let clamped = times.any(|time| i64::try_from(time).is_err());
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
        }
        // Large attributes are contents, whatever span they are of.
        if n.dialect != Dialect::Plain || !n.payloads.is_empty() {
            let seen = self.seen.of(day, receipt.tenant, receipt.received_at);
            let to_contents = &mut Contents { columns: &mut rows.contents, seen, receipt };
            contents_of(to, n, to_contents, &SPAN_REFS);
        }
        // Order matters to nobody, presence does: what was moved is rebuilt from the references.
        let text = &mut self.text;
        let mut repeated = attributes(to, s::ATTRIBUTES, s::ATTRIBUTE_TYPES, span.attributes, &n.moved, text);
        repeated |= source.repeats();
        if !resource.attributes.is_empty() {
            to.map(s::RESOURCE_ATTRIBUTES, |map| resource_keys.push(map, resource.attributes, |_| true, text));
        }
        if !span.events.is_empty() {
            to.structs(s::EVENTS, |events, bytes| {
                for (at, event) in span.events.iter().enumerate() {
                    member_optional_int(events, 0, Some(nanos(event.time_unix_nano)));
                    member_text(events, 1, event.name);
                    member_map(events, 2, bytes, |map| {
                        let stays = |position| !n.moved_event_attributes.contains(&(at as u32, position));
                        repeated |= push_list(map, event.attributes, stays, text);
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
                    member_map(links, 3, bytes, |map| repeated |= push_list(map, link.attributes, |_| true, text));
                    member_optional_int(links, 4, some_count(link.dropped_attributes_count));
                    links.append(true);
                    *bytes += 128;
                }
            });
        }
        some_int(to, s::DROPPED_ATTRIBUTES, some_count(span.dropped_attributes_count));
        some_int(to, s::DROPPED_EVENTS, some_count(span.dropped_events_count));
        some_int(to, s::DROPPED_LINKS, some_count(span.dropped_links_count));
        let odd = [
            (end < start, "end_before_start"),
            (odd_time, "time_not_believed"),
            (clamped, "time_out_of_range"),
            (repeated, REPEATED_KEY),
            (!(0..=2).contains(&span.status_code), "unknown_status"),
            (!(0..=5).contains(&span.kind), "unknown_span_kind"),
        ];
        flags(to, s::FLAGS, n.flags.iter().copied().chain(told(odd)));
        to.int(s::RECEIVED_AT, receipt.received_at / 1_000);
        to.int(s::SEQ, receipt.seq as i64);
        to.int(s::MAPPING_VERSION, i64::from(MAPPING_VERSION));
        to.end_row();

        if !n.scores.is_empty() {
            let link = span.links.first().and_then(|link| link.trace_id.zip(link.span_id));
            let place = ScorePlace {
                time: span.start_unix_nano,
                trace: Some(span.trace_id),
                span: Some(span.span_id),
                parent: span.parent_span_id,
                link,
            };
            self.scores(&place, source, n);
        }
    }
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

/// OpenTelemetry's names of the span kinds.
fn span_kind(kind: i32) -> Option<&'static str> {
    ["internal", "server", "client", "producer", "consumer"].get(usize::try_from(kind).ok()?.checked_sub(1)?).copied()
}
