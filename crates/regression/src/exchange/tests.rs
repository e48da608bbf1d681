//! Examples that go out and come back, and the tools they go to.

use serde_json::{Map, Value, json};

use super::*;
use crate::example::{Document, Message, Source as Origin};
use crate::oracle::{ask, ask_with, random};
use crate::{Answer, ToolCall};

mod tools;
mod wrong;

/// Texts that formats have trouble with.
const HARD: [&str; 22] = [
    "Where is my order?",
    "",
    "a,b;c\"d\"",
    "line\nline\r\nline",
    "{{ user }} {% raw %} {# x #}",
    "file://etc/passwd",
    "=1+1",
    "'=1",
    "''+2",
    "-5",
    "@x",
    "no",
    "1e3",
    "0x10",
    "~",
    "null",
    "- a: b # c",
    "é🌱\u{200d}",
    " lead and trail ",
    "\t",
    "\u{7f}\u{85}\u{2028}",
    "{% endraw %}{{7*7}}",
];

fn hard(random: &mut impl FnMut(u64) -> u64) -> String {
    HARD[random(HARD.len() as u64) as usize].to_owned()
}

/// Something to say, with at least a letter.
fn said(random: &mut impl FnMut(u64) -> u64) -> String {
    hard(random) + ["x", "file://", "{{"][random(3) as usize]
}

fn arguments(random: &mut impl FnMut(u64) -> u64) -> Value {
    json!({ "text": hard(random), "n": random(1000), "nested": { "list": [1.5, null, hard(random)] } })
}

/// Examples that hold everything an example can.
fn examples(count: usize, seed: u64) -> Vec<Example> {
    let mut random = random(seed);
    (0..count)
        .map(|number| {
            let random = &mut random;
            let called = Answer { text: None, tool_calls: vec![ToolCall { name: "find".to_owned(), arguments: arguments(random) }] };
            let answer = |random: &mut _| match number % 3 {
                0 => Answer::of_text(said(random)),
                1 => called.clone(),
                _ => Answer { text: Some(said(random)), tool_calls: called.tool_calls.clone() },
            };
            let mut answered = Message::of_text("tool", hard(random));
            answered.rest.insert("tool_call_id".to_owned(), json!("call_1"));
            Example {
                id: format!("case {number}{}", hard(random)),
                revision: 1 + random(3) as u32,
                messages: vec![
                    Message::of_text("system", hard(random)),
                    Message::of_text("user", hard(random)),
                    Message::from(&called),
                    answered,
                    Message::of_text("user", said(random)),
                ],
                tools: vec![json!({ "type": "function", "function": { "name": "find", "description": hard(random), "parameters": { "type": "object" } } })],
                documents: vec![Document { id: Some(hard(random)), text: Some(hard(random)), score: Some(0.25), metadata: Map::new() }],
                parameters: Map::from_iter([("temperature".to_owned(), json!(0.5))]),
                output: Some(answer(random)),
                expected: Some(answer(random)),
                reason: Some(said(random)),
                source: Some(Origin {
                    trace_id: Some(format!("{number:032x}")),
                    span_id: Some(format!("{number:016x}")),
                    content_hash: Some("ab".repeat(32)),
                }),
                split: Some("test".to_owned()),
                tags: vec![said(random), "refund".to_owned()],
                metadata: Map::from_iter([("note".to_owned(), json!([hard(random)])), (said(random), json!({}))]),
            }
        })
        .collect()
}

/// The least an example can be.
fn bare() -> Example {
    Example {
        id: "bare".to_owned(),
        revision: 1,
        messages: vec![Message::of_text("user", "Hello")],
        ..Example::default()
    }
}

fn examples_of(imported: Imported) -> Vec<Example> {
    imported.entries.into_iter().map(|entry| entry.example).collect()
}

fn source(format: Format) -> Source {
    match format {
        Format::Csv => Source::Csv,
        Format::PromptfooYaml | Format::PromptfooJson => Source::Promptfoo,
        _ => Source::Jsonl,
    }
}

#[test]
fn what_goes_out_comes_back() {
    let mut all = examples(60, 61);
    all.push(bare());
    use Format::{Csv, Inspect, Jsonl, Langfuse, PromptfooJson, PromptfooYaml};
    for format in [Jsonl, Csv, PromptfooYaml, PromptfooJson, Langfuse, Inspect] {
        let exported = export(format, "refunds", &all);
        assert_eq!(exported.skipped, []);
        let imported = import(source(format), exported.text.as_bytes(), true).unwrap();
        for (back, went) in imported.entries.iter().zip(&all) {
            assert_eq!(back.example, *went, "{format:?}");
        }
        assert_eq!(imported.entries.len(), all.len(), "{format:?}");
    }
}

#[test]
fn what_openai_has_no_place_for_is_skipped_and_said() {
    let mut all = examples(9, 62);
    all.push(bare());
    let evals = export(Format::OpenaiEvals, "", &all);
    assert_eq!(evals.skipped.len(), 4, "{:?}", evals.skipped);
    let back = examples_of(import(Source::Jsonl, evals.text.as_bytes(), true).unwrap());
    let with_text = |example: &&Example| example.expected.as_ref().is_some_and(|expected| expected.text.is_some());
    for (back, went) in back.iter().zip(all.iter().filter(with_text)) {
        assert_eq!(back, went);
    }
    let tuning = export(Format::OpenaiFineTuning, "", &all);
    assert_eq!(tuning.skipped, [("bare".to_owned(), "it has no expected answer to learn".to_owned())]);
    let back = examples_of(import(Source::Jsonl, tuning.text.as_bytes(), true).unwrap());
    assert_eq!(back.len(), 9);
    for (back, went) in back.iter().zip(&all) {
        assert_eq!((&back.messages, &back.tools, &back.expected), (&went.messages, &went.tools, &went.expected));
    }
}

#[test]
fn the_content_hash_is_of_what_a_model_is_given() {
    let one = bare();
    let same = Example { id: "other".to_owned(), expected: Some(Answer::of_text("x")), ..bare() };
    let other = Example { parameters: Map::from_iter([("temperature".to_owned(), json!(1))]), ..bare() };
    assert_eq!(one.content_hash(), same.content_hash());
    assert_ne!(one.content_hash(), other.content_hash());
}
