//! Feedback given with Logfire, and what Pydantic Evals finds.
//!
//! - Feedback is a span below the one it judges: `logfire.feedback.name` names the attribute that holds the value (a
//!   number, a truth, or a label), and what the application adds is metadata.
//! - The span of a case has `assertions`, `scores` and `labels`: JSON objects of results by the name of what was judged,
//!   each with `value`, `reason` and the evaluator it comes from.

use std::borrow::Cow;

use tracewell_otlp::{AnyValue, KeyValue};

use super::Draft;
use crate::content::attributes::text;
use crate::input::SpanInput;
use crate::json;
use crate::normalized::{Normalized, Score, ScoreTarget};

const NAME: &str = "logfire.feedback.name";
const COMMENT: &str = "logfire.feedback.comment";
const EVALS_SCOPE: &str = "pydantic-evals";
/// The evaluator that asks a model.
const MODEL_JUDGE: &str = "LLMJudge";

/// Whether a span's attribute `key` is one of feedback.
pub(super) fn reads(key: &str) -> bool {
    [NAME, COMMENT].contains(&key)
}

/// Adds the scores of a span of these two.
pub(super) fn span<'a>(span: &SpanInput<'_, 'a>, out: &mut Normalized<'a>) {
    match span.scope_name {
        scope if scope.starts_with("logfire") => {
            let name = span.attributes.iter().find(|attribute| attribute.key == NAME);
            let name = name.and_then(|attribute| attribute.value.as_str());
            out.scores.extend(name.and_then(|name| feedback(name, span)));
        }
        EVALS_SCOPE => {
            let lists = span.attributes.iter().filter(|list| matches!(list.key, "assertions" | "scores" | "labels"));
            let results = lists.filter_map(|list| list.value.as_str()).flat_map(json::members);
            out.scores.extend(results.filter_map(|(name, result)| found(name, result)));
        }
        _ => {}
    }
}

/// What an evaluator found, from the object `result`.
fn found<'a>(name: Cow<'a, str>, result: &'a str) -> Option<Score<'a>> {
    let text = |path: &[&str]| json::string(json::get(result, path)?);
    let author = text(&["source", "name"]).or_else(|| text(&["source"]));
    let source = if author.as_deref() == Some(MODEL_JUDGE) { "model" } else { "code" };
    let mut draft = Draft {
        name: Some(name),
        label: text(&["value"]),
        explanation: text(&["reason"]),
        source: Some(Cow::Borrowed(source)),
        author,
        ..Draft::default()
    };
    match json::get(result, &["value"])? {
        "true" => draft.set("", AnyValue::Bool(true)),
        "false" => draft.set("", AnyValue::Bool(false)),
        number if draft.label.is_none() => draft.set("", AnyValue::Double(number.parse().ok()?)),
        _ => {}
    }
    draft.finish(ScoreTarget::ThisSpan)
}

/// The feedback `name` of Logfire, which people give.
fn feedback<'a>(name: &'a str, span: &SpanInput<'_, 'a>) -> Option<Score<'a>> {
    let mut draft = Draft { name: Some(Cow::Borrowed(name)), source: Some(Cow::Borrowed("human")), ..Draft::default() };
    for KeyValue { key, value } in span.attributes {
        match (*key, *value) {
            (key, AnyValue::Str(label)) if key == name => draft.label = Some(Cow::Borrowed(label)),
            (key, value) if key == name => draft.set("", value),
            (COMMENT, comment) => draft.explanation = text(comment),
            (key, _) if key.starts_with("logfire.") || key.starts_with("code.") => {}
            (key, value) => draft.metadata.extend(text(value).map(|text| (Cow::Borrowed(key), text))),
        }
    }
    draft.finish(ScoreTarget::ParentSpan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::tests::of_attributes;

    #[test]
    fn feedback_of_logfire_judges_the_span_above() {
        // As `logfire.experimental.annotations.record_feedback` writes it.
        let feedback = |value| {
            [
                KeyValue { key: "logfire.msg_template", value: AnyValue::Str("feedback: factuality") },
                KeyValue { key: "logfire.span_type", value: AnyValue::Str("annotation") },
                KeyValue { key: "code.lineno", value: AnyValue::Int(123) },
                KeyValue { key: NAME, value: AnyValue::Str("factuality") },
                KeyValue { key: "factuality", value },
                KeyValue { key: "shop.shelf", value: AnyValue::Int(7) },
                KeyValue { key: COMMENT, value: AnyValue::Str("the agent lied") },
            ]
        };
        for (value, data_type, number, label) in [
            (AnyValue::Double(0.1), "numeric", Some(0.1), None),
            (AnyValue::Int(4), "numeric", Some(4.0), None),
            (AnyValue::Bool(false), "boolean", Some(0.0), None),
            (AnyValue::Str("0.1"), "categorical", None, Some("0.1")),
        ] {
            let scores = of_attributes("logfire.feedback", &feedback(value));
            let [score] = scores.as_slice() else { panic!("{scores:?}") };
            assert_eq!(score.target, ScoreTarget::ParentSpan);
            assert_eq!((score.name.as_ref(), score.source.as_deref()), ("factuality", Some("human")));
            assert_eq!((score.data_type, score.value, score.label.as_deref()), (data_type, number, label));
            assert_eq!(score.explanation.as_deref(), Some("the agent lied"));
            assert_eq!(score.metadata, [("shop.shelf".into(), "7".into())]);
        }
    }

    #[test]
    fn results_of_pydantic_evals_judge_the_case() {
        let attributes = [
            ("case_name", "shelf"),
            (
                "assertions",
                r#"{"IsInstance": {"name": "IsInstance", "value": true, "reason": null,
                    "source": {"name": "IsInstance", "arguments": null}}}"#,
            ),
            (
                "scores",
                r#"{"polite": {"name": "polite", "value": 0.75, "reason": "a greeting",
                    "source": {"name": "LLMJudge", "arguments": ["Is it polite?"]}}}"#,
            ),
            ("labels", r#"{"tone": {"name": "tone", "value": "warm", "reason": null, "source": "Tone"}}"#),
        ];
        let attributes = attributes.map(|(key, value)| KeyValue { key, value: AnyValue::Str(value) });
        let scores = of_attributes("pydantic-evals", &attributes);
        let shown: Vec<_> = scores
            .iter()
            .map(|score| {
                assert_eq!(score.target, ScoreTarget::ThisSpan);
                let words = [&score.label, &score.explanation, &score.source, &score.author].map(Option::as_deref);
                (score.name.as_ref(), score.data_type, score.value, words)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("IsInstance", "boolean", Some(1.0), [None, None, Some("code"), Some("IsInstance")]),
                ("polite", "numeric", Some(0.75), [None, Some("a greeting"), Some("model"), Some("LLMJudge")]),
                ("tone", "categorical", None, [Some("warm"), None, Some("code"), Some("Tone")]),
            ]
        );
        assert!(of_attributes("app", &attributes).is_empty(), "such words may mean anything elsewhere");
    }
}
