//! An example for people.

use tracewell_regression::example::Message;
use tracewell_regression::{Answer, Example};
use tracewell_runs::render::Block;

/// An answer as text: what it says, then its calls.
pub(in crate::command) fn answered(answer: &Answer) -> String {
    let calls = answer.tool_calls.iter().map(|call| format!("{}({})", call.name, call.arguments));
    answer.text.iter().cloned().chain(calls).collect::<Vec<_>>().join("\n")
}

/// All of an example.
pub(in crate::command) fn story(example: &Example) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, format!("{} (revision {})", example.id, example.revision))];
    let source = example.source.clone().unwrap_or_default();
    let facts = [
        ("reason", example.reason.clone()),
        ("split", example.split.clone()),
        ("tags", (!example.tags.is_empty()).then(|| example.tags.join(", "))),
        ("run", source.trace_id),
        ("span", source.span_id),
        ("content", source.content_hash),
    ];
    let facts = facts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    blocks.push(Block::Facts(facts.collect()));
    for message in &example.messages {
        blocks.push(Block::Text(message.role.clone(), said(message)));
    }
    for document in &example.documents {
        blocks.push(Block::Text("retrieved".to_owned(), document.shown()));
    }
    for (name, answer) in [("output", &example.output), ("expected", &example.expected)] {
        blocks.extend(answer.as_ref().map(|answer| Block::Text(name.to_owned(), answered(answer))));
    }
    blocks
}

/// What a message says: its text and its calls, or else its content as JSON.
pub(in crate::command) fn said(message: &Message) -> String {
    let answer = message.answer();
    let text = answered(&answer);
    if text.is_empty() { message.content.to_string() } else { text }
}
