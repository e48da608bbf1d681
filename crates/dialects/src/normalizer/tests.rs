//! Rules of single dialects, on spans as the dialects' own documentation and captures describe them.

use tracewell_model::kind::{Dialect, ErrorClass, InputSemantics, Kind};
use tracewell_otlp::{AnyValue, KeyValue};

use super::Normalizer;
use crate::input::SpanInput;
use crate::normalized::Normalized;

const START: u64 = 1_795_240_900_000_000_000;

fn text<'a>(key: &'a str, value: &'a str) -> KeyValue<'a> {
    KeyValue { key, value: AnyValue::Str(value) }
}

fn int(key: &str, value: i64) -> KeyValue<'_> {
    KeyValue { key, value: AnyValue::Int(value) }
}

fn double(key: &str, value: f64) -> KeyValue<'_> {
    KeyValue { key, value: AnyValue::Double(value) }
}

fn flag(key: &str, value: bool) -> KeyValue<'_> {
    KeyValue { key, value: AnyValue::Bool(value) }
}

pub(super) fn span<'s, 'a>(scope_name: &'a str, name: &'a str, attributes: &'s [KeyValue<'a>]) -> SpanInput<'s, 'a> {
    SpanInput {
        scope_name,
        name,
        span_kind: 1,
        start_unix_nano: START,
        end_unix_nano: START + 1_000_000_000,
        attributes,
        ..SpanInput::default()
    }
}

fn read<'a>(span: &SpanInput<'_, 'a>) -> Normalized<'a> {
    let mut out = Normalized::default();
    Normalizer::new().span(span, &mut out);
    out
}

fn of<'a>(scope: &'a str, name: &'a str, attributes: &[KeyValue<'a>]) -> Normalized<'a> {
    read(&span(scope, name, attributes))
}

fn tokens(out: &Normalized<'_>) -> [Option<i64>; 5] {
    let usage = &out.usage;
    [usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens]
}

mod dialects;
mod frameworks;

mod kinds;

mod usage;

mod identity;

mod results;

#[test]
fn no_value_of_a_known_key_is_too_odd() {
    let odd = [
        "",
        "{",
        "[",
        "\"",
        "\"\"",
        "{}",
        "[[[",
        "{\"a\":",
        "{'a': 'é",
        "9223372036854775807",
        "-9223372036854775808",
        "1e400",
        "NaN",
        "[{\"name\": \"é\", \"finish_reason\": 7}]",
        "\u{0}",
        "2026-11-21T06:01:40é",
        "null",
        "{\"input\": 9223372036854775807, \"input_cache_read\": 9223372036854775807, \"total\": -1}",
    ];
    let huge = [
        AnyValue::Int(i64::MAX),
        AnyValue::Int(i64::MIN),
        AnyValue::Double(f64::NAN),
        AnyValue::Double(1e300),
        AnyValue::Empty,
    ];
    for value in odd.iter().map(|text| AnyValue::Str(text)).chain(huge) {
        for mark in ["gen_ai.operation.name", "langfuse.observation.type", "mlflow.spanType", "openinference.span.kind"]
        {
            let words = ["chat", "generation", "CHAT_MODEL", "LLM"];
            let mut attributes: Vec<_> = words.iter().map(|word| text(mark, word)).collect();
            attributes.extend(crate::keys::KEYS.all().filter(|key| *key != mark).map(|key| KeyValue { key, value }));
            for scope in [
                "app",
                "openlit",
                "langfuse-sdk",
                "gcp.vertex.agent",
                "ai",
                "mlflow",
                "claude_code",
                "litellm",
                "haystack",
            ] {
                of(scope, "claude_code.x", &attributes);
            }
        }
    }
}

#[test]
fn a_record_is_reusable() {
    let attributes = [
        text("gen_ai.operation.name", "chat"),
        int("gen_ai.usage.input_tokens", 1),
        text("tag.tags", "[\"a\"]"),
        text("metadata", "{\"a\": 1}"),
        text("error.type", "timeout"),
    ];
    let mut out = of("app", "chat", &attributes);
    assert_ne!(format!("{out:?}"), format!("{:?}", Normalized::default()));
    out.clear();
    assert_eq!(format!("{out:?}"), format!("{:?}", Normalized::default()));
}
