//! What differs between two runs.
//!
//! Model calls are paired by their kind and place: the second chat of one run with the second chat of the other. Texts
//! are compared line by line, each pair of texts once.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};
use tracewell_dialects::message_text;

use crate::record::{Message, ModelCall, RunRecord};
use crate::render::{Block, count, duration, parameters};

/// What the guardrails of a run are called, which are a part of its policy.
const GUARDRAILS: &str = "guardrails";
const INSTRUCTIONS: &str = "instructions";

/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct RunDiff {
    pub a: String,
    pub b: String,
    /// The kinds of change among the paired calls and the guardrails around them: content, routing, policy.
    pub classes: Vec<String>,
    /// Facts of the runs that differ.
    pub run: Vec<Change>,
    /// Calls that differ, and those without a counterpart.
    pub calls: Vec<CallDiff>,
    pub texts: Vec<TextDiffer>,
}

/// A fact that differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Change {
    pub what: String,
    pub a: Option<String>,
    pub b: Option<String>,
}

/// A pair of calls, or one without a counterpart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct CallDiff {
    /// Such as `chat 2`.
    pub call: String,
    pub a: Option<String>,
    pub b: Option<String>,
    pub changes: Vec<Change>,
}

/// Two texts that differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct TextDiffer {
    pub what: String,
    /// Hashes.
    pub a: Option<String>,
    pub b: Option<String>,
    /// `-`, `+` or a space, and the line.
    pub lines: Vec<(char, String)>,
}

/// Compares two runs.
#[must_use]
pub fn diff(a: &RunRecord, b: &RunRecord) -> RunDiff {
    let mut diff = RunDiff { a: a.trace_id.clone(), b: b.trace_id.clone(), run: run(a, b), ..RunDiff::default() };
    let mut texts = Texts { a, b, seen: HashSet::new(), found: Vec::new() };
    let mut kinds: Vec<&str> = a.calls.iter().chain(&b.calls).map(|call| call.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of =
            |record: &'_ RunRecord| record.calls.iter().filter(|call| call.kind == kind).cloned().collect::<Vec<_>>();
        let (of_a, of_b) = (of(a), of(b));
        for place in 0..of_a.len().max(of_b.len()) {
            let pair = (of_a.get(place), of_b.get(place));
            let changes = match pair {
                (Some(a), Some(b)) => {
                    texts.compare(a, b);
                    call(a, b)
                }
                _ => Vec::new(),
            };
            if !changes.is_empty() || pair.0.is_none() || pair.1.is_none() {
                let id = |call: Option<&ModelCall>| call.map(|call| call.span_id.clone());
                diff.calls.push(CallDiff {
                    call: format!("{kind} {}", place + 1),
                    a: id(pair.0),
                    b: id(pair.1),
                    changes,
                });
            }
        }
    }
    texts.add("final output", last(&a.output), last(&b.output));
    diff.texts = texts.found;
    for class in ["content", "routing", "policy"] {
        let told = format!("{class} fingerprint");
        let in_calls = diff.calls.iter().flat_map(|call| &call.changes).any(|change| change.what == told);
        // A guardrail may stand around the calls, and instructions in log records, which no fingerprint is made of.
        let around = match class {
            "content" => diff.texts.iter().any(|text| text.what == INSTRUCTIONS),
            "policy" => diff.run.iter().any(|change| change.what == GUARDRAILS),
            _ => false,
        };
        if in_calls || around {
            diff.classes.push(class.to_owned());
        }
    }
    diff
}

/// Those of `(what, a, b)` that differ.
fn changed(facts: Vec<(&str, Option<String>, Option<String>)>) -> Vec<Change> {
    let differ = facts.into_iter().filter(|(_, a, b)| a != b);
    differ.map(|(what, a, b)| Change { what: what.to_owned(), a, b }).collect()
}

fn list(items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| items.join(", "))
}

fn run(a: &RunRecord, b: &RunRecord) -> Vec<Change> {
    let facts = |record: &RunRecord| {
        let number = |number: usize| Some(count(number as i64));
        let mut tools: Vec<String> = record.tools.iter().filter_map(|tool| tool.tool_name.clone()).collect();
        tools.dedup();
        let guardrails = record.spans.iter().filter(|span| span.kind == "guardrail").map(|span| span.name.clone());
        let guardrails: Vec<String> = guardrails.collect::<BTreeSet<_>>().into_iter().collect();
        vec![
            ("name", record.name.clone()),
            ("status", record.status.clone()),
            ("service", record.service.clone()),
            ("service version", record.service_version.clone()),
            ("environment", record.environment.clone()),
            ("release", record.release.clone()),
            ("workflow", record.workflow_name.clone()),
            ("workflow version", record.workflow_version.clone()),
            ("took", Some(duration(record.duration_ns))),
            ("model calls", number(record.calls.len())),
            ("tool calls", number(record.tools.len())),
            ("tools", list(&tools)),
            (GUARDRAILS, list(&guardrails)),
            ("retrieved documents", number(record.retrievals.iter().map(|one| one.documents.len()).sum())),
            ("input tokens", record.tokens.input_tokens.map(count)),
            ("output tokens", record.tokens.output_tokens.map(count)),
            ("cost in USD", record.cost_usd.clone()),
            ("calls without a price", Some(record.unpriced_calls.to_string())),
            ("complete", Some(record.completeness.complete.to_string())),
        ]
    };
    changed(facts(a).into_iter().zip(facts(b)).map(|((what, a), (_, b))| (what, a, b)).collect())
}

fn call(a: &ModelCall, b: &ModelCall) -> Vec<Change> {
    let facts = |call: &ModelCall| {
        vec![
            ("content fingerprint", call.content_hash.clone()),
            ("routing fingerprint", call.routing_hash.clone()),
            ("policy fingerprint", call.policy_hash.clone()),
            ("prompt", call.prompt_name.clone()),
            ("prompt version", call.prompt_version.clone()),
            ("prompt label", call.prompt_label.clone()),
            ("provider", call.provider.clone()),
            ("model asked for", call.request_model.clone()),
            ("model that answered", call.response_model.clone()),
            ("tier", call.service_tier.clone()),
            ("parameters", Some(parameters(call)).filter(|text| !text.is_empty())),
            ("input tokens", call.input_tokens.map(count)),
            ("output tokens", call.output_tokens.map(count)),
            ("cached tokens", call.cache_read_tokens.map(count)),
            ("cost in USD", call.cost_usd.clone()),
            ("no price because", call.unpriced_reason.clone()),
            ("price", call.price_rule.clone()),
            ("took", call.duration_ns.map(duration)),
            ("first token after", call.ttft_ns.map(duration)),
            ("finished", list(&call.finish_reasons)),
            ("status", call.status.clone()),
            ("error", call.error_class.clone()),
        ]
    };
    changed(facts(a).into_iter().zip(facts(b)).map(|((what, a), (_, b))| (what, a, b)).collect())
}

fn last(messages: &[Message]) -> Option<&Message> {
    messages.last()
}

struct Texts<'a> {
    a: &'a RunRecord,
    b: &'a RunRecord,
    seen: HashSet<(Option<String>, Option<String>)>,
    found: Vec<TextDiffer>,
}

impl Texts<'_> {
    fn compare(&mut self, a: &ModelCall, b: &ModelCall) {
        self.add(INSTRUCTIONS, a.system.as_ref(), b.system.as_ref());
        self.add("tools offered", a.tools.as_ref(), b.tools.as_ref());
        self.add("last input", last(&a.input), last(&b.input));
        self.add("output", last(&a.output), last(&b.output));
    }

    fn add(&mut self, what: &str, a: Option<&Message>, b: Option<&Message>) {
        let hash = |message: Option<&Message>| message.map(|message| message.hash.clone());
        let (hash_a, hash_b) = (hash(a), hash(b));
        if hash_a == hash_b || !self.seen.insert((hash_a.clone(), hash_b.clone())) {
            return;
        }
        let lines = lines(&text(self.a, a), &text(self.b, b));
        if !lines.is_empty() {
            self.found.push(TextDiffer { what: what.to_owned(), a: hash_a, b: hash_b, lines });
        }
    }
}

/// The words of a message; JSON that is none, such as tools, a member a line.
fn text(record: &RunRecord, message: Option<&Message>) -> String {
    let Some(message) = message else { return String::new() };
    let Some(content) = record.text(&message.hash) else { return "(the text has expired)".to_owned() };
    if let Some(text) = message_text(content) {
        return text;
    }
    let pretty =
        serde_json::from_str::<serde_json::Value>(content).and_then(|value| serde_json::to_string_pretty(&value));
    pretty.unwrap_or_else(|_| content.to_owned())
}

/// The lines that differ between two texts, with a few around them; none where they are equal.
#[must_use]
pub fn lines(a: &str, b: &str) -> Vec<(char, String)> {
    let diff = TextDiff::from_lines(a, b);
    let mut lines = Vec::new();
    for (place, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if place > 0 {
            lines.push((' ', "…".to_owned()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push((sign, change.value().trim_end_matches(['\n', '\r']).to_owned()));
        }
    }
    lines
}

/// The comparison as a page.
#[must_use]
pub fn story(diff: &RunDiff) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, "Two runs".to_owned())];
    let classes = if diff.classes.is_empty() {
        "none of content, routing and policy".to_owned()
    } else {
        diff.classes.join(", ")
    };
    blocks.push(Block::Facts(vec![("a", diff.a.clone()), ("b", diff.b.clone()), ("changed", classes)]));
    let table = |changes: &[Change]| {
        let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "not told".to_owned());
        let rows = changes.iter().map(|change| vec![change.what.clone(), said(&change.a), said(&change.b)]).collect();
        Block::table(vec!["what", "a", "b"], rows)
    };
    blocks.push(Block::Heading(2, "The runs".to_owned()));
    blocks.push(if diff.run.is_empty() { Block::Note("no difference".to_owned()) } else { table(&diff.run) });
    for call in &diff.calls {
        blocks.push(Block::Heading(2, call.call.clone()));
        blocks.push(match (&call.a, &call.b) {
            (Some(_), None) => Block::Note("only in a".to_owned()),
            (None, Some(_)) => Block::Note("only in b".to_owned()),
            _ => table(&call.changes),
        });
    }
    for text in &diff.texts {
        blocks.push(Block::Heading(2, text.what.clone()));
        blocks.push(Block::Difference(text.lines.clone()));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Span;

    #[test]
    fn only_lines_that_differ_are_shown_with_a_few_around_them() {
        let a = "1\n2\n3\n4\n5\n6\n7\n8\n9";
        let b = a.replace('5', "five");
        let signs: String = lines(a, &b).iter().map(|(sign, _)| *sign).collect();
        assert_eq!(signs, "   -+   ");
        assert!(lines(a, a).is_empty());
    }

    #[test]
    fn a_guardrail_that_comes_or_goes_is_a_change_of_policy() {
        let record = |guardrails: &[&str]| {
            let span = |name: &&str| Span { name: (*name).to_owned(), kind: "guardrail".to_owned(), ..Span::default() };
            RunRecord { spans: guardrails.iter().map(span).collect(), ..RunRecord::default() }
        };
        let found = diff(&record(&["pii"]), &record(&["tone", "pii", "pii"]));
        assert_eq!(found.classes, ["policy"]);
        let change = Change { what: GUARDRAILS.to_owned(), a: Some("pii".to_owned()), b: Some("pii, tone".to_owned()) };
        assert_eq!(found.run, [change]);
        assert!(diff(&record(&["pii"]), &record(&["pii", "pii"])).classes.is_empty());
    }

    #[test]
    fn a_change_is_named_by_its_class() {
        let record = |temperature: f64, routing: &str| RunRecord {
            calls: vec![ModelCall {
                kind: "chat".to_owned(),
                temperature: Some(temperature),
                routing_hash: Some(routing.to_owned()),
                content_hash: Some("c".to_owned()),
                ..ModelCall::default()
            }],
            ..RunRecord::default()
        };
        let diff = diff(&record(0.2, "x"), &record(0.7, "y"));
        assert_eq!(diff.classes, ["routing"]);
        let what: Vec<&str> = diff.calls[0].changes.iter().map(|change| change.what.as_str()).collect();
        assert_eq!(what, ["routing fingerprint", "parameters"]);
    }
}
