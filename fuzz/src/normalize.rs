//! The normalizer: what it moves can be rebuilt, what contradicts itself is flagged, and nothing is left over from the
//! span before.

use std::collections::{HashMap, HashSet};

use tracewell_dialects::{LogInput, Normalized, Normalizer, SpanInput, mapped_keys, rebuild};
use tracewell_model::kind::Form;
use tracewell_otlp::{AnyValue, Decoder, KeyValue, Limits, index_logs, index_traces};

use crate::cost;
use crate::oracle::Signal;
use crate::seeds;
use crate::telemetry;

/// A request is walked, its facts are texts of their own, and its contents are cut and hashed in several forms.
const FACTOR: usize = 128;

/// A signal, then the bytes of a request.
pub(crate) fn check(data: &[u8]) {
    if let Some((signal, body)) = seeds::signal(data) {
        check_request(signal, body);
    }
}

/// A request built from the input, in the words of the dialects.
pub(crate) fn check_built(data: &[u8]) {
    if let Some((signal, data)) = seeds::signal(data) {
        check_request(signal, &telemetry::request(signal, data));
    }
}

fn check_request(signal: Signal, body: &[u8]) {
    // The tables are made once, on nobody's account.
    mapped_keys().count();
    match signal {
        Signal::Traces => spans(body),
        Signal::Logs => logs(body),
    }
}

fn spans(body: &[u8]) {
    let Ok(index) = index_traces(body) else { return };
    let (mut decoder, mut scope_attributes) = (Decoder::new(Limits::default()), Vec::new());
    let (mut normalizer, mut out) = (Normalizer::new(), Normalized::default());
    for entry in index.spans() {
        let scope = decoder.decode_scope(body, &index.scopes()[entry.scope as usize], &mut scope_attributes);
        let Ok(span) = decoder.decode_span(entry.bytes(body)) else { continue };
        let input = SpanInput::of(&span, &scope.unwrap_or_default(), &[]);
        cost::bounded(entry.bytes(body).len(), FACTOR, || normalizer.span(&input, &mut out));
        check_common(span.attributes, &out);
        check_events(&input, &out);
        check_usage(&out);
        let mut fresh = Normalized::default();
        Normalizer::new().span(&input, &mut fresh);
        assert_eq!(format!("{out:?}"), format!("{fresh:?}"), "reused buffers change nothing");
        check_order(&input, &fresh);
    }
}

fn logs(body: &[u8]) {
    let Ok(index) = index_logs(body) else { return };
    let (mut decoder, mut scope_attributes) = (Decoder::new(Limits::default()), Vec::new());
    let (mut normalizer, mut out) = (Normalizer::new(), Normalized::default());
    for entry in index.records() {
        let scope = decoder.decode_scope(body, &index.scopes()[entry.scope as usize], &mut scope_attributes);
        let scope_name = scope.map_or("", |scope| scope.name);
        let Ok(record) = decoder.decode_log(entry.bytes(body)) else { continue };
        let (event_name, attributes) = (record.event_name, record.attributes);
        let input = LogInput { scope_name, event_name, body: record.body, attributes, resource: &[] };
        cost::bounded(entry.bytes(body).len(), FACTOR, || normalizer.log(&input, &mut out));
        check_common(attributes, &out);
        check_counts(&out);
        if out.moved_body {
            assert_eq!(rebuild::attribute("body", &rebuild::parts(&out)).as_deref(), Some(&*shown(record.body)));
        }
        let mut fresh = Normalized::default();
        Normalizer::new().log(&input, &mut fresh);
        assert_eq!(format!("{out:?}"), format!("{fresh:?}"), "reused buffers change nothing");
    }
}

/// As a table's `attributes` show a value.
fn shown(value: AnyValue<'_>) -> String {
    value.as_str().map_or_else(|| value.to_json(), str::to_owned)
}

/// What holds for spans and records: what is moved is rebuilt, and what is not moved is not there twice.
fn check_common(attributes: &[KeyValue<'_>], out: &Normalized<'_>) {
    assert!(out.moved.is_sorted_by(|one, next| one < next), "{:?}", out.moved);
    assert!(out.moved.last().is_none_or(|last| (*last as usize) < attributes.len()));
    let last: HashMap<&str, usize> = attributes.iter().enumerate().map(|(at, entry)| (entry.key, at)).collect();
    let parts = rebuild::parts(out);
    for (key, at) in last {
        let rebuilt = rebuild::attribute(key, &parts);
        if out.moved.binary_search(&(at as u32)).is_ok() {
            assert_eq!(rebuilt.as_deref(), Some(&*shown(attributes[at].value)), "{key}");
        } else if !key.starts_with("event:") && key != "body" {
            assert_eq!(rebuilt, None, "{key}");
        }
    }
    for flags in [&out.flags, &out.usage_flags] {
        assert!(flags.iter().enumerate().all(|(i, flag)| !flags[..i].contains(flag)), "{flags:?}");
    }
    for preview in [&out.input_preview, &out.output_preview].into_iter().flatten() {
        assert!(preview.chars().count() <= 256);
    }
    assert!(out.temperature.is_none_or(f64::is_finite) && out.top_p.is_none_or(f64::is_finite));
    assert!(out.scores.iter().all(|score| score.value.is_none_or(f64::is_finite)));
    if let Some(cost) = &out.reported_cost_usd {
        let (whole, fraction) = cost.split_once('.').unwrap_or((cost, ""));
        assert!(whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()), "{cost}");
    }
}

fn check_events(span: &SpanInput<'_, '_>, out: &Normalized<'_>) {
    let moved = &out.moved_event_attributes;
    assert!(moved.is_sorted_by(|one, next| one < next), "{moved:?}");
    let parts = rebuild::parts(out);
    let mut last: HashMap<String, AnyValue<'_>> = HashMap::new();
    for (event, at) in moved {
        let found = &span.events[*event as usize];
        let attribute = found.attributes.iter().nth(*at as usize).expect("an attribute of the event");
        last.insert(format!("event:{event}:{}:{}", found.name, attribute.key), attribute.value);
    }
    for (key, value) in last {
        assert_eq!(rebuild::attribute(&key, &parts).as_deref(), Some(&*shown(value)), "{key}");
    }
}

/// No count is below zero.
fn check_counts(out: &Normalized<'_>) {
    let usage = &out.usage;
    let counts = [
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.reasoning_tokens,
        usage.audio_input_tokens,
        usage.audio_output_tokens,
        usage.image_input_tokens,
    ];
    assert!(counts.iter().flatten().all(|count| *count >= 0), "{usage:?}");
    assert_eq!(usage.input_tokens.is_some(), out.input_semantics.is_some());
}

/// Counts are kept as they are, and flagged where a part exceeds its whole.
fn check_usage(out: &Normalized<'_>) {
    check_counts(out);
    let usage = &out.usage;
    // As large as a count can be is where counting ends.
    let sum = |parts: &[Option<i64>]| parts.iter().flatten().fold(0, |sum: i64, part| sum.saturating_add(*part));
    let exceeds = |parts: &[Option<i64>], whole: Option<i64>| whole.is_some_and(|whole| sum(parts) > whole);
    if exceeds(&[usage.cache_read_tokens, usage.cache_write_tokens], usage.input_tokens)
        || exceeds(&[usage.reasoning_tokens], usage.output_tokens)
        || exceeds(&[usage.audio_input_tokens, usage.image_input_tokens], usage.input_tokens)
        || exceeds(&[usage.audio_output_tokens], usage.output_tokens)
        || exceeds(&[usage.cache_write_5m_tokens, usage.cache_write_1h_tokens], usage.cache_write_tokens)
    {
        assert!(out.usage_flags.contains(&"parts_exceed_whole"), "{usage:?} {:?}", out.usage_flags);
    }
}

/// Attributes are a set: where none contradicts another, their order says nothing.
fn check_order(span: &SpanInput<'_, '_>, out: &Normalized<'_>) {
    if may_contradict(span.attributes) {
        return;
    }
    let reversed: Vec<KeyValue<'_>> = span.attributes.iter().rev().copied().collect();
    let mut other = Normalized::default();
    Normalizer::new().span(&SpanInput { attributes: &reversed, ..*span }, &mut other);
    assert_eq!(
        (out.kind, out.dialect, out.usage, out.input_semantics),
        (other.kind, other.dialect, other.usage, other.input_semantics)
    );
    let facts = |out: &Normalized<'_>| {
        let mut reasons = out.finish_reasons.clone();
        reasons.sort_unstable();
        // A flattened message or tool is written down in the order of its attributes, so its bytes may differ.
        let pieces = out.input.iter().chain(&out.output).chain(&out.system).chain(&out.tools);
        let is_flat = pieces.into_iter().any(|piece| piece.form == Form::Flat);
        let hashes = (!is_flat).then_some((&out.prompt_hash, &out.content_hash, &out.policy_hash));
        format!(
            "{:?}",
            (
                (
                    &out.operation,
                    &out.framework,
                    &out.provider,
                    &out.request_model,
                    &out.response_model,
                    &out.response_id
                ),
                (&out.agent_name, &out.conversation_id, &out.user_id, &out.prompt_name, &out.team),
                (out.temperature, out.top_p, out.max_tokens, out.seed, out.streaming, out.ttft_ns, reasons),
                (&out.reported_cost_usd, &out.error_type, out.error_class, &out.tool_name, &out.tool_call_id),
                (&out.routing_hash, hashes),
                (out.input.len(), out.output.len(), &out.system.is_some(), &out.tools.is_some()),
            )
        )
    };
    assert_eq!(facts(out), facts(&other));
}

/// Whether a key repeats, or an entry of the user's metadata, which comes under several prefixes or in an object.
fn may_contradict(attributes: &[KeyValue<'_>]) -> bool {
    let entry = |key| ["metadata.", ".properties."].iter().find_map(|prefix| str::split_once(key, prefix));
    let mut said = HashSet::new();
    let objects = attributes.iter().filter(|attribute| attribute.key.ends_with("metadata")).count();
    let entries = attributes.iter().filter(|attribute| entry(attribute.key).is_some()).count();
    let repeats = |key| !said.insert(entry(key).map_or(key, |(_, entry)| entry));
    attributes.iter().map(|attribute| attribute.key).any(repeats) || (objects > 0 && objects + entries > 1)
}
