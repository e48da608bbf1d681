//! Why a model stopped, one reason per choice.

use std::borrow::Cow;

use crate::fields::Field;
use crate::fields::facts::Facts;
use crate::input::SpanInput;
use crate::json;
use crate::normalized::Normalized;
use crate::value::Scalar;

/// Fills the finish reasons; those of OpenLLMetry's flattened choices are in `out` already.
pub(crate) fn fill<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    if let Some(found) = facts.get(Field::FinishReasons) {
        out.finish_reasons = found.value.list();
    } else if out.finish_reasons.is_empty() && out.kind.is_model_call() {
        of_events(span, out);
        if out.finish_reasons.is_empty() {
            of_messages(span, facts, out);
        }
    }
    out.finish_reasons.retain(|reason| !Scalar::Json(Cow::Borrowed(reason)).is_empty());
    for reason in &mut out.finish_reasons {
        if let Some(canonical) = canonical(reason) {
            *reason = Cow::Borrowed(canonical);
        }
    }
}

/// Span events `gen_ai.choice`, one per choice.
fn of_events<'a>(span: &SpanInput<'_, 'a>, out: &mut Normalized<'a>) {
    for event in span.events.iter().filter(|event| event.name == "gen_ai.choice") {
        let reason = event.attributes.iter().find(|attribute| attribute.key == "finish_reason");
        out.finish_reasons.extend(reason.map(|attribute| Scalar::Any(attribute.value).text()));
    }
}

/// `finish_reason` of each output message, as written before it was deprecated in favour of the attribute: of those on
/// the span, else of those in an event of it, where Strands keeps them.
fn of_messages<'a>(span: &SpanInput<'_, 'a>, facts: &Facts<'_, 'a>, out: &mut Normalized<'a>) {
    const MESSAGES: &str = "gen_ai.output.messages";
    let mut in_events = span.events.iter().flat_map(|event| event.attributes.iter());
    let value = facts
        .attribute(MESSAGES)
        .or_else(|| in_events.find(|attribute| attribute.key == MESSAGES).map(|attribute| attribute.value));
    let Some(messages) = value.and_then(|value| Scalar::Any(value).json()) else { return };
    for message in json::elements(&messages) {
        let reason = json::get(message, &["finish_reason"]).and_then(json::string);
        out.finish_reasons.extend(reason.map(|reason| Cow::Owned(reason.into_owned())));
    }
}

/// The canonical word for `reason`, if it has one.
fn canonical(reason: &str) -> Option<&'static str> {
    const WORDS: &[(&str, &[&str])] = &[
        ("tool_calls", &["tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"]),
        ("stop", &["stop", "end_turn", "stop_sequence", "completed"]),
        ("length", &["length", "max_tokens", "max_output_tokens"]),
        ("content_filter", &["content_filter", "content-filter", "safety", "refusal", "recitation"]),
        ("error", &["error"]),
    ];
    // Python's text of an enum.
    let reason = reason.strip_prefix("FinishReason.").unwrap_or(reason);
    let spells = |spellings: &[&str]| spellings.iter().any(|word| reason.eq_ignore_ascii_case(word));
    WORDS.iter().find(|(_, spellings)| spells(spellings)).map(|(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_have_one_word() {
        for (spelling, word) in [
            ("FinishReason.TOOL_CALLS", "tool_calls"),
            ("tool-calls", "tool_calls"),
            ("tool_use", "tool_calls"),
            ("STOP", "stop"),
            ("end_turn", "stop"),
            ("MAX_TOKENS", "length"),
            ("content-filter", "content_filter"),
            ("RECITATION", "content_filter"),
        ] {
            assert_eq!(canonical(spelling), Some(word));
        }
        assert_eq!(canonical("pause_turn"), None);
    }
}
