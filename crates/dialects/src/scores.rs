//! Evaluations, feedback and annotations found on spans and log records.
//!
//! - OpenInference flattens them: `annotations.N.annotation.*`, or `evaluations.N.evaluation.*`, with the scope
//!   `trace.` or `session.` before. Given afterwards, they stand on a span of kind EVALUATOR whose single link names
//!   the target; parentage never does.
//! - OpenTelemetry has the event `gen_ai.evaluation.result`, about the span it stands in.
//! - OpenLIT writes `gen_ai.eval.*`.
//! - Logfire's feedback is a span of its own below the span it judges; Pydantic Evals writes what its evaluators found
//!   on the span of the case.
//! - What people and scripts give through our own interfaces is the OpenTelemetry event too, with [`own`] attributes for
//!   what it cannot say.

mod logfire;

use std::borrow::Cow;
use std::collections::BTreeMap;

use tracewell_model::kind::Kind;
use tracewell_otlp::{AnyValue, KeyValue};

use crate::content::attributes::text;
use crate::input::SpanInput;
use crate::json;
use crate::normalized::{Normalized, Score, ScoreTarget};

/// Name of the OpenTelemetry event.
pub(crate) const EVALUATION_EVENT: &str = "gen_ai.evaluation.result";

const OPENLIT: &str = "gen_ai.eval.";

/// Whether a span's attribute `key` is a member of a score.
pub(crate) fn reads(key: &str) -> bool {
    flat_member(key).is_some() || key.starts_with(OPENLIT) || logfire::reads(key)
}

/// Attributes of our own on an evaluation event.
pub mod own {
    /// What is scored, where that is not the span of the record: run, session, document.
    pub const TARGET: &str = "tracewell.score.target";
    /// The session that is scored.
    pub const SESSION: &str = "tracewell.score.session_id";
    /// The document that is scored.
    pub const DOCUMENT: &str = "tracewell.score.document_id";
    /// human, model, code or user.
    pub const SOURCE: &str = "tracewell.score.source";
    /// Who gives it.
    pub const AUTHOR: &str = "tracewell.score.author";
    /// What is said in free text.
    pub const TEXT: &str = "tracewell.score.text";
    /// What the output should have been.
    pub const CORRECTION: &str = "tracewell.score.correction";
}

/// Adds the scores of a span, whose `kind` is known.
pub(crate) fn span<'a>(span: &SpanInput<'_, 'a>, out: &mut Normalized<'a>) {
    let mut flattened: BTreeMap<Flat, Draft<'a>> = BTreeMap::new();
    let mut named: BTreeMap<&'a str, Draft<'a>> = BTreeMap::new();
    for KeyValue { key, value } in span.attributes {
        // Most keys are turned away by a glance.
        if !matches!(key.as_bytes().first(), Some(b'a' | b'e' | b'g' | b's' | b't')) {
            continue;
        }
        if let Some((score, member)) = flat_member(key) {
            flattened.entry(score).or_default().set(member, *value);
        } else if let Some(rest) = key.strip_prefix(OPENLIT) {
            let (name, member) = rest.split_once('.').unwrap_or((rest, ""));
            named.entry(name).or_default().set(member, *value);
        }
    }
    for ((scope, ..), draft) in flattened {
        let target = match scope {
            Scope::Run => ScoreTarget::Run,
            Scope::Session => {
                ScoreTarget::Session(out.conversation_id.clone().or_else(|| attribute(span, "session.id")))
            }
            Scope::Span if out.kind == Kind::Evaluator => ScoreTarget::LinkedSpan,
            Scope::Span => ScoreTarget::ThisSpan,
        };
        out.scores.extend(draft.finish(target));
    }
    for (name, mut draft) in named {
        draft.name = Some(Cow::Borrowed(name));
        out.scores.extend(draft.finish(ScoreTarget::ThisSpan));
    }
    logfire::span(span, out);
    for event in span.events.iter().filter(|event| event.name == EVALUATION_EVENT) {
        out.scores.extend(event_score(event.attributes.iter()));
    }
}

/// The score in the attributes of a `gen_ai.evaluation.result` event.
pub(crate) fn event_score<'a>(attributes: impl Iterator<Item = KeyValue<'a>>) -> Option<Score<'a>> {
    let mut draft = Draft::default();
    let (mut target, mut session, mut document) = (None, None, None);
    for KeyValue { key, value } in attributes {
        match (key.strip_prefix("gen_ai.evaluation."), key) {
            (Some("score.value"), _) => draft.set("score", value),
            (Some("score.label"), _) => draft.set("label", value),
            (Some(member), _) => draft.set(member, value),
            (None, "event.name" | "gen_ai.response.id") => {}
            (None, own::TARGET) => target = value.as_str(),
            (None, own::SESSION) => session = text(value),
            (None, own::DOCUMENT) => document = text(value),
            (None, own::SOURCE) => draft.source = text(value),
            (None, own::AUTHOR) => draft.author = text(value),
            (None, own::TEXT) => draft.text = text(value),
            (None, own::CORRECTION) => draft.correction = text(value),
            (None, _) => draft.metadata.extend(text(value).map(|text| (Cow::Borrowed(key), text))),
        }
    }
    draft.finish(match (target, document) {
        (Some("document"), Some(document)) => ScoreTarget::Document(document),
        (Some("session"), _) => ScoreTarget::Session(session),
        (Some("run"), _) => ScoreTarget::Run,
        _ => ScoreTarget::ThisSpan,
    })
}

/// What a flattened score is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Span,
    Run,
    Session,
}

/// A flattened score: what it is about, whether it is an evaluation, which are numbered apart from annotations, and its
/// number.
type Flat = (Scope, bool, u32);

/// `trace.annotations.2.annotation.score` is the `score` of the run's annotation 2.
fn flat_member(key: &str) -> Option<(Flat, &str)> {
    let scoped = |prefix, scope| Some((scope, key.strip_prefix(prefix)?));
    let (scope, rest) =
        scoped("trace.", Scope::Run).or_else(|| scoped("session.", Scope::Session)).unwrap_or((Scope::Span, key));
    let annotation = rest.strip_prefix("annotations.").map(|list| (list, "annotation.", false));
    let evaluation = || Some((rest.strip_prefix("evaluations.")?, "evaluation.", true));
    let (list, item, evaluated) = annotation.or_else(evaluation)?;
    let (index, member) = list.split_once('.')?;
    Some(((scope, evaluated, index.parse().ok()?), member.strip_prefix(item)?))
}

fn attribute<'a>(span: &SpanInput<'_, 'a>, key: &str) -> Option<Cow<'a, str>> {
    span.attributes.iter().rev().find(|attribute| attribute.key == key).and_then(|attribute| text(attribute.value))
}

/// A score as its members come in.
#[derive(Default)]
struct Draft<'a> {
    name: Option<Cow<'a, str>>,
    value: Option<f64>,
    is_truth: bool,
    label: Option<Cow<'a, str>>,
    text: Option<Cow<'a, str>>,
    correction: Option<Cow<'a, str>>,
    explanation: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    author: Option<Cow<'a, str>>,
    metadata: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Draft<'a> {
    fn set(&mut self, member: &'a str, value: AnyValue<'a>) {
        let Some(text) = text(value) else { return };
        match member {
            "name" => self.name = Some(text),
            "label" | "verdict" | "classification" => self.label = Some(text),
            "explanation" | "reason" => self.explanation = Some(text),
            "annotator_kind" => self.source = Some(source(text)),
            "identifier" => self.author = Some(text),
            // OpenLIT's `gen_ai.eval.<name>` may be either.
            "score" | "value" | "" => match (number(value), member) {
                (Some(number), _) => {
                    self.value = Some(number);
                    self.is_truth = matches!(value, AnyValue::Bool(_));
                }
                (None, "") => self.label = Some(text),
                (None, _) => self.metadata.push((Cow::Borrowed(member), text)),
            },
            "metadata" => match value {
                AnyValue::Str(object) if json::is_complete(object) && object.trim_ascii_start().starts_with('{') => {
                    let members = json::members(object);
                    self.metadata
                        .extend(members.map(|(key, raw)| (key, json::string(raw).unwrap_or(Cow::Borrowed(raw)))));
                }
                _ => self.metadata.push((Cow::Borrowed("metadata"), text)),
            },
            other => self.metadata.push((Cow::Borrowed(other), text)),
        }
    }

    /// The score, unless it judges nothing.
    fn finish(self, target: ScoreTarget<'a>) -> Option<Score<'a>> {
        let data_type = match (&self.correction, self.value, &self.label) {
            (Some(_), ..) => "correction",
            (None, Some(_), _) if self.is_truth => "boolean",
            (None, Some(_), _) => "numeric",
            (None, None, Some(_)) => "categorical",
            (None, None, None) if self.text.is_some() || self.explanation.is_some() => "text",
            (None, None, None) => return None,
        };
        Some(Score {
            target,
            name: self.name.unwrap_or(Cow::Borrowed("unnamed")),
            data_type,
            value: self.value,
            label: self.label,
            text: self.correction.or(self.text),
            explanation: self.explanation,
            source: self.source,
            author: self.author,
            metadata: self.metadata,
        })
    }
}

fn number(value: AnyValue<'_>) -> Option<f64> {
    let number = match value {
        AnyValue::Double(number) => number,
        AnyValue::Int(number) => number as f64,
        AnyValue::Bool(truth) => f64::from(u8::from(truth)),
        AnyValue::Str(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Some(number).filter(|number| number.is_finite())
}

/// OpenInference's annotator kinds in the words of the `scores` table.
fn source(kind: Cow<'_, str>) -> Cow<'_, str> {
    match kind.to_ascii_uppercase().as_str() {
        "HUMAN" => Cow::Borrowed("human"),
        "LLM" => Cow::Borrowed("model"),
        "CODE" => Cow::Borrowed("code"),
        "USER" | "END_USER" => Cow::Borrowed("user"),
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn of_capture(name: &str) -> Vec<String> {
        let mut found = Vec::new();
        fixtures::spans(name, |span, out| {
            found.extend(out.scores.iter().map(|score| format!("{} {}", span.name, shown(score))));
        });
        fixtures::logs(name, |_, out| {
            found.extend(out.scores.iter().map(|score| format!("log {} {:?}", shown(score), out.response_id)));
        });
        found
    }

    fn shown(score: &Score<'_>) -> String {
        let Score { target, name, value, label, explanation, source, author, .. } = score;
        format!("{target:?} {name} {value:?} {label:?} {explanation:?} {source:?} {author:?}")
    }

    #[test]
    fn feedback_finds_its_target_by_scope_and_link() {
        assert_eq!(
            of_capture("openinference-python/feedback"),
            [
                r#"seed_agent ThisSpan helpfulness Some(1.0) Some("good") Some("Clear and short.") Some("model") Some("judge-v2")"#,
                r#"human review LinkedSpan correctness Some(0.0) Some("incorrect") Some("Wrong shelf.") Some("human") None"#,
                r#"session review Session(Some("sess-7f3a")) coherence Some(0.75) None None Some("code") None"#,
            ]
        );
    }

    #[test]
    fn an_evaluation_event_scores_the_call_it_names() {
        for name in ["run__default", "run__event_only", "run__span_and_event", "run__span_only"] {
            let scores = of_capture(&format!("otel-genai/{name}"));
            assert_eq!(scores.len(), 1, "{name}");
            assert!(scores[0].starts_with(r#"log ThisSpan Relevance Some(0.8) Some("pass")"#), "{}", scores[0]);
            assert!(scores[0].ends_with(r#"Some("chatcmpl-fx0002")"#), "{}", scores[0]);
        }
    }

    pub(super) fn of_attributes<'a>(scope_name: &'a str, attributes: &[KeyValue<'a>]) -> Vec<Score<'a>> {
        let input = SpanInput { scope_name, name: "evaluate", attributes, ..SpanInput::default() };
        let mut out = Normalized::default();
        span(&input, &mut out);
        out.scores
    }

    #[test]
    fn annotations_and_evaluations_are_numbered_apart() {
        let attributes = [
            KeyValue { key: "annotations.0.annotation.name", value: AnyValue::Str("helpful") },
            KeyValue { key: "annotations.0.annotation.score", value: AnyValue::Double(1.0) },
            KeyValue { key: "evaluations.0.evaluation.name", value: AnyValue::Str("tone") },
            KeyValue { key: "evaluations.0.evaluation.label", value: AnyValue::Str("rude") },
        ];
        let found = of_attributes("app", &attributes);
        let scores: Vec<_> =
            found.iter().map(|score| (score.name.as_ref(), score.value, score.label.as_deref())).collect();
        assert_eq!(scores, [("helpful", Some(1.0), None), ("tone", None, Some("rude"))]);
    }

    #[test]
    fn openlit_names_what_it_judges_in_the_key() {
        let attributes = [
            KeyValue { key: "gen_ai.eval.relevancy", value: AnyValue::Double(0.5) },
            KeyValue { key: "gen_ai.eval.toxicity.label", value: AnyValue::Str("none found") },
            KeyValue { key: "gen_ai.eval.toxicity.score", value: AnyValue::Str("0") },
        ];
        let found = of_attributes("openlit", &attributes);
        let scores: Vec<_> =
            found.iter().map(|score| (score.name.as_ref(), score.value, score.label.as_deref())).collect();
        assert_eq!(scores, [("relevancy", Some(0.5), None), ("toxicity", Some(0.0), Some("none found"))]);
    }
}
