//! A log record as a row of `logs`.

use tracewell_dialects::{LogInput, Normalized};
use tracewell_model::MAPPING_VERSION;
use tracewell_model::id::{span_id, trace_id};
use tracewell_model::time::{Day, believed_start};
use tracewell_otlp::{AnyValue, LogRecord};

use super::cells::{attributes, flags, non_empty, push, some_text, type_name};
use super::content::{Contents, LOG_REFS, contents_of};
use super::score::ScorePlace;
use super::{DayRows, Rows, Source};
use crate::names::logs as l;

impl Rows {
    pub(super) fn log<'a>(&mut self, record: &LogRecord<'_, 'a>, source: &Source<'_, 'a>, n: &mut Normalized<'a>) {
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
}
