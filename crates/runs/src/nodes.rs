//! Spans as they stand in the record.

use std::collections::{BTreeMap, BTreeSet};

use crate::calls::LogTexts;
use crate::moment::rfc3339;
use crate::record::{Event, Message, Span, SpanName};
use crate::rows::{Ref, SpanRow, messages};

/// The spans, and a stand-in for each of which only the start has been told.
pub(crate) fn nodes(spans: &[SpanRow], start: i64, told: &LogTexts<'_>) -> Vec<Span> {
    let finished: BTreeSet<&str> =
        spans.iter().filter(|span| !span.is_pending()).map(|span| span.span_id.as_str()).collect();
    let stands_for_missing = |span: &&SpanRow| {
        !span.is_pending() || !span.parent_span_id.as_deref().is_some_and(|real| finished.contains(real))
    };
    spans.iter().filter(stands_for_missing).map(|row| node(row, start, told)).collect()
}

fn node(row: &SpanRow, start: i64, told: &LogTexts<'_>) -> Span {
    let unfinished = row.is_pending();
    let (span_id, parent_span_id) = match (&row.parent_span_id, unfinished) {
        (Some(real), true) => {
            let parent = row.pending_parent.clone().filter(|parent| parent.bytes().any(|digit| digit != b'0'));
            (real.clone(), parent)
        }
        _ => (row.span_id.clone(), row.parent_span_id.clone()),
    };
    let own = |refs: &Option<Vec<Ref>>, of_logs: fn(&LogTexts<'_>, &[&str]) -> Vec<Message>| match refs {
        Some(_) => messages(refs.as_ref()),
        None => of_logs(told, &[&row.span_id]),
    };
    let events = row.events.iter().map(|event| Event {
        offset_ns: event.time_unix_nano.unwrap_or(row.start_unix_nano).saturating_sub(start),
        name: event.name.clone().unwrap_or_default(),
        attributes: said(event.attributes.as_ref()),
    });
    let links = row
        .links
        .iter()
        .filter_map(|link| Some(SpanName { trace_id: link.trace_id.clone(), span_id: link.span_id.clone()? }));
    Span {
        span_id,
        parent_span_id,
        depth: 0,
        name: row.name.clone().unwrap_or_default(),
        kind: row.kind.clone(),
        dialect: row.dialect.clone().unwrap_or_default(),
        scope_name: row.scope_name.clone(),
        scope_version: row.scope_version.clone(),
        service: row.service.clone(),
        offset_ns: row.start_unix_nano.saturating_sub(start),
        duration_ns: row.duration_ns.filter(|_| !unfinished),
        status: row.status.clone(),
        status_message: row.status_message.clone(),
        error_type: row.error_type.clone(),
        error_class: row.error_class.clone(),
        agent_name: row.agent_name.clone(),
        tool_name: row.tool_name.clone(),
        model: row.response_model.clone().or_else(|| row.request_model.clone()),
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        flags: row.flags.clone(),
        usage_flags: row.usage_flags.clone(),
        input: own(&row.input_refs, |told, spans| told.input(spans)),
        output: own(&row.output_refs, |told, spans| told.output(spans)),
        payloads: messages(row.payload_refs.as_ref()),
        events: events.collect(),
        links: links.collect(),
        record: row.is_record.then_some(true),
        unfinished: unfinished.then_some(true),
        received_at: rfc3339(row.received),
    }
}

fn said(attributes: Option<&BTreeMap<String, Option<String>>>) -> BTreeMap<String, String> {
    let pairs = attributes.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect()
}
