//! Examples as lines of JSON, each as another tool reads it.

use serde_json::{Map, Value, json};

use super::Exported;
use crate::Example;
use crate::example::Message;

/// Where what a format has no place for is kept.
pub(super) const OWN: &str = "tracewell";

/// A line for each example that the format can hold.
pub(super) fn lines(examples: &[Example], write: impl Fn(&Example) -> Result<Value, String>) -> Exported {
    let mut exported = Exported::default();
    for example in examples {
        match write(example) {
            Ok(value) => {
                exported.text += &value.to_string();
                exported.text.push('\n');
            }
            Err(reason) => exported.skipped.push((example.id.clone(), reason)),
        }
    }
    exported
}

pub(super) fn own(example: &Example) -> Result<Value, String> {
    serde_json::to_value(example).map_err(|error| error.to_string())
}

/// As OpenAI's `evals` reads it: the conversation and the ideal answer.
pub(super) fn openai_evals(example: &Example) -> Result<Value, String> {
    let ideal = example.expected.as_ref().and_then(|expected| expected.text.as_ref());
    let ideal = ideal.ok_or("it has no expected text, which is what an eval compares with")?;
    let left_out: &[&str] = if expects_calls(example) { &["messages"] } else { &["messages", "expected"] };
    Ok(json!({ "input": example.messages, "ideal": ideal, "metadata": metadata(example, left_out) }))
}

/// Whether tool calls are expected, which have no place beside a text.
fn expects_calls(example: &Example) -> bool {
    example.expected.as_ref().is_some_and(|expected| !expected.tool_calls.is_empty())
}

/// As the fine-tuning API reads it: the conversation, ended by the expected answer, and the tools.
pub(super) fn openai_fine_tuning(example: &Example) -> Result<Value, String> {
    let expected = example.expected.as_ref().ok_or("it has no expected answer to learn")?;
    let mut messages = example.messages.clone();
    messages.push(Message::from(expected));
    Ok(if example.tools.is_empty() {
        json!({ "messages": messages })
    } else {
        json!({ "messages": messages, "tools": example.tools })
    })
}

/// As Inspect AI reads it: a sample.
pub(super) fn inspect(example: &Example) -> Result<Value, String> {
    let expected = example.expected.as_ref();
    let target = expected.and_then(|expected| expected.text.clone()).unwrap_or_default();
    let left_out: &[&str] = if expects_calls(example) { &["messages", "id"] } else { &["messages", "id", "expected"] };
    Ok(json!({
        "id": example.id,
        "input": example.messages.iter().map(inspect_message).collect::<Vec<_>>(),
        "target": target,
        "metadata": metadata(example, left_out),
    }))
}

/// Calls are flat, their arguments parsed; a message has always a content.
fn inspect_message(message: &Message) -> Value {
    let mut written = json!(message);
    if written["role"] == "developer" {
        written["role"] = "system".into();
    }
    if written["content"].is_null() {
        written["content"] = "".into();
    }
    let calls = message.rest.get("tool_calls").and_then(Value::as_array);
    if let Some(calls) = calls {
        let flat = message.answer().tool_calls.into_iter().zip(calls).zip(1..).map(|((call, sent), number)| {
            let id = sent["id"].as_str().map_or_else(|| format!("call_{number}"), str::to_owned);
            let arguments = if call.arguments.is_object() { call.arguments } else { json!({}) };
            json!({ "id": id, "function": call.name, "arguments": arguments, "type": "function" })
        });
        written["tool_calls"] = flat.collect();
    }
    written
}

/// The body of a request that makes a dataset item.
pub(super) fn langfuse(example: &Example, dataset: &str) -> Result<Value, String> {
    let mut input = Map::from_iter([("messages".to_owned(), json!(example.messages))]);
    if !example.tools.is_empty() {
        input.insert("tools".to_owned(), json!(example.tools));
    }
    let mut item = json!({
        "datasetName": dataset,
        "id": example.id,
        "input": input,
        "metadata": metadata(example, &["messages", "id", "tools", "expected"]),
        "status": "ACTIVE",
    });
    if let Some(expected) = &example.expected {
        item["expectedOutput"] =
            if expected.tool_calls.is_empty() { json!(expected.text) } else { json!(Message::from(expected)) };
    }
    let source = example.source.as_ref();
    if let Some(trace_id) = source.and_then(|source| source.trace_id.as_ref()) {
        item["sourceTraceId"] = json!(trace_id);
    }
    if let Some(span_id) = source.and_then(|source| source.span_id.as_ref()) {
        item["sourceObservationId"] = json!(span_id);
    }
    Ok(item)
}

/// The example's own metadata, and beside it whatever `left_out` does not name.
pub(super) fn metadata(example: &Example, left_out: &[&str]) -> Value {
    let mut rest = match serde_json::to_value(example) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    rest.retain(|key, _| key != "metadata" && !left_out.contains(&key.as_str()));
    let mut metadata = example.metadata.clone();
    metadata.insert(OWN.to_owned(), Value::Object(rest));
    Value::Object(metadata)
}
