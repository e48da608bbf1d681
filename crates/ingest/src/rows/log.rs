//! A log record as a row of `logs`.

use tracewell_dialects::{LogInput, Normalized, content_hash};
use tracewell_model::MAPPING_VERSION;
use tracewell_model::id::{span_id, trace_id};
use tracewell_model::kind::{Dialect, Kind};
use tracewell_model::time::{Day, believed_start};
use tracewell_otlp::{AnyValue, LogRecord};

use super::cells::{attributes, flags, nanos, non_empty, some_count, some_int, some_text, told, type_name};
use super::content::{Contents, LOG_REFS, contents_of};
use super::score::ScorePlace;
use super::{DayRows, REPEATED_KEY, Rows, Source};
use crate::columns::Columns;
use crate::names::logs as l;

impl Rows {
    /// Takes in the record at `position` of its request, whose bytes as sent are `bytes`.
    pub(super) fn log<'a>(
        &mut self,
        record: &LogRecord<'_, 'a>,
        (position, bytes): (usize, &[u8]),
        source: &Source<'_, 'a>,
        n: &mut Normalized<'a>,
    ) {
        let Source { resource, resource_keys, scope, scope_keys, facts, receipt } = source;
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
        let seen = self.seen.of(day, receipt.tenant, receipt.received_at);
        let rows = self.days.entry(day).or_insert_with(|| DayRows::new(day, self.last));
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
        let stated = |time: u64| (time != 0).then(|| nanos(time));
        some_int(to, l::SENT_UNIX_NANO, stated(record.time_unix_nano));
        some_int(to, l::OBSERVED_UNIX_NANO, stated(record.observed_time_unix_nano));
        to.int(l::POSITION, position as i64);
        let event_name = non_empty(record.event_name).or_else(|| {
            record.attributes.iter().find(|pair| pair.key == "event.name").and_then(|pair| pair.value.as_str())
        });
        some_text(to, l::EVENT_NAME, event_name);
        if let Some(severity) = non_empty(record.severity_text) {
            to.text(l::SEVERITY, severity);
        } else if record.severity_number != 0 {
            to.text(l::SEVERITY, &record.severity_number.to_string());
        }
        if record.severity_number != 0 {
            to.int(l::SEVERITY_NUMBER, record.severity_number.into());
        }
        some_text(to, l::SCOPE_NAME, non_empty(scope.name));
        some_text(to, l::SCOPE_VERSION, non_empty(scope.version));
        if !scope.attributes.is_empty() {
            let text = &mut self.text;
            to.map(l::SCOPE_ATTRIBUTES, |map| scope_keys.push(map, scope.attributes, |_| true, text));
        }
        some_text(to, l::SCHEMA_URL, non_empty(scope.schema_url).or(non_empty(resource.schema_url)));
        some_text(to, l::SERVICE, facts.service);
        some_text(to, l::ENVIRONMENT, n.environment.as_deref().or(facts.environment));
        to.text(l::TENANT, receipt.tenant);
        some_text(to, l::CONVERSATION_ID, n.conversation_id.as_deref());
        some_text(to, l::USER_ID, n.user_id.as_deref());
        some_text(to, l::REQUEST_ID, n.request_id.as_deref());
        some_text(to, l::SERVICE_VERSION, facts.service_version.or(n.service_version.as_deref()));
        if n.dialect != Dialect::Plain {
            facts_of_event(to, n);
            some_text(to, l::TEAM, n.team.as_deref().or(facts.team));
            if n.kind.is_model_call() || n.kind == Kind::Tool {
                // One agent's record is another's only where both run as one service.
                let identity = [facts.service.unwrap_or_default().as_bytes(), &[0], bytes].concat();
                to.text(l::RECORD_ID, content_hash(&identity).hex().as_str());
            }
        }
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
        let repeated = attributes(to, l::ATTRIBUTES, l::ATTRIBUTE_TYPES, record.attributes, &n.moved, text);
        if !resource.attributes.is_empty() {
            to.map(l::RESOURCE_ATTRIBUTES, |map| resource_keys.push(map, resource.attributes, |_| true, text));
        }
        some_int(to, l::DROPPED_ATTRIBUTES, some_count(record.dropped_attributes_count));
        if record.flags != 0 {
            to.int(l::TRACE_FLAGS, i64::from(record.flags));
        }
        let odd = [(odd_time, "time_not_believed"), (repeated || source.repeats(), REPEATED_KEY)];
        flags(to, l::FLAGS, n.flags.iter().copied().chain(told(odd)));
        to.int(l::RECEIVED_AT, receipt.received_at / 1_000);
        to.int(l::SEQ, receipt.seq as i64);
        to.int(l::MAPPING_VERSION, i64::from(MAPPING_VERSION));
        to.end_row();
        if !n.scores.is_empty() {
            let place = ScorePlace { time, trace: record.trace_id, span: record.span_id, parent: None, link: None };
            self.scores(&place, source, n);
        }
    }
}

/// What an event says of the call, tool or decision that it stands for.
fn facts_of_event(to: &mut Columns, n: &Normalized<'_>) {
    if n.kind != Kind::Other {
        to.text(l::KIND, n.kind.as_str());
    }
    to.text(l::DIALECT, n.dialect.as_str());
    some_text(to, l::OPERATION, n.operation.as_deref());
    some_text(to, l::PROMPT_ID, n.record.prompt_id.as_deref());
    some_text(to, l::AGENT_NAME, n.agent_name.as_deref());
    some_text(to, l::PROVIDER, n.provider.as_deref());
    some_text(to, l::REQUEST_MODEL, n.request_model.as_deref());
    some_text(to, l::RESPONSE_MODEL, n.response_model.as_deref());
    some_text(to, l::RESPONSE_ID, n.response_id.as_deref());
    some_int(to, l::DURATION_NS, n.record.duration_ns);
    some_text(to, l::STATUS, n.record.status);
    some_text(to, l::STATUS_MESSAGE, n.record.status_message.as_deref());
    some_text(to, l::ERROR_TYPE, n.error_type.as_deref());
    some_text(to, l::ERROR_CLASS, n.error_class.map(|class| class.as_str()));
    if !n.finish_reasons.is_empty() {
        to.list(l::FINISH_REASONS, n.finish_reasons.iter().map(AsRef::as_ref));
    }
    some_int(to, l::INPUT_TOKENS, n.usage.input_tokens);
    some_int(to, l::OUTPUT_TOKENS, n.usage.output_tokens);
    some_int(to, l::CACHE_READ_TOKENS, n.usage.cache_read_tokens);
    some_int(to, l::CACHE_WRITE_TOKENS, n.usage.cache_write_tokens);
    some_int(to, l::REASONING_TOKENS, n.usage.reasoning_tokens);
    if !n.usage_reported.is_empty() {
        to.map(l::USAGE_REPORTED, |map| n.usage_reported.iter().for_each(|(key, value)| map.push(key, value)));
    }
    flags(to, l::USAGE_FLAGS, n.usage_flags.iter().copied());
    some_text(to, l::INPUT_SEMANTICS, n.input_semantics.map(|semantics| semantics.as_str()));
    some_text(to, l::REPORTED_COST_USD, n.reported_cost_usd.as_deref());
    some_text(to, l::TOOL_NAME, n.tool_name.as_deref());
    some_text(to, l::TOOL_CALL_ID, n.tool_call_id.as_deref());
    some_text(to, l::TOOL_TYPE, n.tool_type.as_deref());
    some_text(to, l::DECISION, n.record.decision.as_deref());
    some_text(to, l::DECISION_SOURCE, n.record.decision_source.as_deref());
}
