//! An object of any tool as an example.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::entry::{Given, Member};
use super::write::OWN;
use crate::example::{Document, Message, Source};
use crate::{Answer, Example, ToolCall};

/// Where tools keep the answer that is wanted.
const EXPECTED: [&str; 5] = ["expected", "ideal", "target", "expectedOutput", "expected_output"];

/// Where the span is named that an example comes from.
const SOURCE: [&str; 6] = ["source", "trace_id", "span_id", "content_hash", "sourceTraceId", "sourceObservationId"];

/// Reads an example, or with its id a part of one. What is not known stays in its metadata.
pub(super) fn example(mut members: Map<String, Value>) -> Result<Given, String> {
    let tells_metadata = members.contains_key("metadata");
    let mut metadata: Map<String, Value> = take(&mut members, "metadata")?.unwrap_or_default();
    metadata.extend(members.remove_entry(OWN));
    while let Some(Value::Object(own)) = metadata.get(OWN).cloned() {
        metadata.remove(OWN);
        for (key, value) in own {
            // Twice wrapped is unwrapped twice.
            if key == OWN { &mut metadata } else { &mut members }.entry(key).or_insert(value);
        }
    }
    let id = id(&mut members)?;
    let asks = asks(&members);
    let mut messages = if asks.is_none() && id.is_some() { Vec::new() } else { messages(&mut members)? };
    messages.iter_mut().for_each(as_openai);
    let mut names = names(&members);
    names.extend(asks);
    let mut expected = answer(&mut members, &EXPECTED, "expected_tool_calls")?;
    // A line for fine-tuning ends with the answer.
    let ends_with_answer = messages.last().is_some_and(|last| last.role == "assistant");
    if id.is_none() && expected.is_none() && ends_with_answer {
        expected = messages.pop().map(|last| last.answer());
        names.push(Member::Expected);
    }
    if messages.is_empty() && (asks.is_some() || id.is_none()) {
        return Err("it has no messages".to_owned());
    }
    let mut example = Example {
        revision: take(&mut members, "revision")?.unwrap_or(1),
        messages,
        tools: take(&mut members, "tools")?.unwrap_or_default(),
        documents: take::<Vec<Document>>(&mut members, "documents")?.unwrap_or_default(),
        parameters: take(&mut members, "parameters")?.unwrap_or_default(),
        output: answer(&mut members, &["output"], "output_tool_calls")?,
        expected,
        reason: take(&mut members, "reason")?,
        source: source(&mut members)?,
        split: take(&mut members, "split")?,
        tags: take(&mut members, "tags")?.unwrap_or_default(),
        ..Example::default()
    };
    // What a dataset item of Langfuse has besides.
    if members.contains_key("datasetName") {
        members.retain(|key, _| key != "datasetName" && key != "status");
    }
    match (tells_metadata, members.is_empty()) {
        (true, _) => names.push(Member::Metadata),
        (false, false) => names.push(Member::MoreMetadata),
        (false, true) => {}
    }
    metadata.extend(members);
    example.metadata = metadata;
    example.id = id.unwrap_or_else(|| format!("content-{}", &example.content_hash()[..16]));
    Ok(Given { example, names })
}

/// How it says what a model is told, where it does.
fn asks(members: &Map<String, Value>) -> Option<Member> {
    if members.contains_key("messages") {
        return Some(Member::Messages);
    }
    match members.get("input")? {
        Value::Null => None,
        Value::Array(_) => Some(Member::Messages),
        Value::Object(input) if input.contains_key("messages") => Some(Member::Messages),
        _ => Some(Member::Question),
    }
}

/// The members that are named, but for what a model is told, and the metadata.
fn names(members: &Map<String, Value>) -> Vec<Member> {
    let expected: Vec<&str> = EXPECTED.into_iter().chain(["expected_tool_calls"]).collect();
    let known: [(Member, &[&str]); 9] = [
        (Member::Tools, &["tools"]),
        (Member::Documents, &["documents"]),
        (Member::Parameters, &["parameters"]),
        (Member::Output, &["output", "output_tool_calls"]),
        (Member::Expected, &expected),
        (Member::Reason, &["reason"]),
        (Member::Source, &SOURCE),
        (Member::Split, &["split"]),
        (Member::Tags, &["tags"]),
    ];
    let is_named = |keys: &[&str]| keys.iter().any(|key| members.contains_key(*key));
    known.into_iter().filter(|(_, keys)| is_named(keys)).map(|(member, _)| member).collect()
}

/// A member of the form that it has to have; `null` is none.
fn take<T: DeserializeOwned>(members: &mut Map<String, Value>, key: &str) -> Result<Option<T>, String> {
    let value = members.remove(key).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| format!("`{key}`: {error}"))
}

fn id(members: &mut Map<String, Value>) -> Result<Option<String>, String> {
    match members.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if !id.is_empty() => Ok(Some(id)),
        Some(Value::Number(id)) => Ok(Some(id.to_string())),
        Some(other) => Err(format!("`id`: {other} is none")),
    }
}

fn messages(members: &mut Map<String, Value>) -> Result<Vec<Message>, String> {
    if members.contains_key("messages") {
        return take(members, "messages").map(Option::unwrap_or_default);
    }
    match members.remove("input") {
        None | Some(Value::Null) => Err("it has neither `messages` nor `input`".to_owned()),
        Some(Value::Array(messages)) => {
            serde_json::from_value(Value::Array(messages)).map_err(|error| format!("`input`: {error}"))
        }
        Some(Value::Object(mut input)) if input.contains_key("messages") => {
            let messages = take(&mut input, "messages")?.unwrap_or_default();
            for (key, value) in input {
                members.entry(key).or_insert(value);
            }
            Ok(messages)
        }
        Some(input) => Ok(vec![Message::of_text("user", text_of(input))]),
    }
}

/// Calls that are flat, as Inspect AI has them, in the form of OpenAI.
fn as_openai(message: &mut Message) {
    let Some(Value::Array(calls)) = message.rest.get_mut("tool_calls") else { return };
    for call in calls {
        if let (Some(name), Some(arguments)) = (call["function"].as_str(), call.get("arguments")) {
            let function = json!({ "name": name, "arguments": arguments.to_string() });
            *call = json!({ "id": call["id"], "type": "function", "function": function });
            if message.content == "" {
                message.content = Value::Null;
            }
        }
    }
}

/// The answer under the first of `keys` that holds one, with the calls under a key of their own.
fn answer(members: &mut Map<String, Value>, keys: &[&str], calls: &str) -> Result<Option<Answer>, String> {
    let is_empty = |value: &Value| value.is_null() || value == "";
    let is_there = |key: &&&str| members.get(**key).is_some_and(|value| !is_empty(value));
    let found = keys.iter().find(is_there).copied().unwrap_or_default();
    let written = members.remove(found).unwrap_or_default();
    let mut answer = match written {
        Value::Null => None,
        // Any of several will do. The first stands for them, and all are kept.
        Value::Array(choices) if choices.iter().all(Value::is_string) => {
            let first = choices.first().cloned().map(|first| Answer::of_text(text_of(first)));
            if choices.len() > 1 {
                members.insert(found.to_owned(), Value::Array(choices));
            }
            first
        }
        Value::Object(message) if message.contains_key("role") => {
            let message: Message =
                serde_json::from_value(message.into()).map_err(|error| format!("the answer: {error}"))?;
            Some(message.answer())
        }
        Value::Object(answer) if is_answer(&answer) => {
            Some(serde_json::from_value(answer.into()).map_err(|error| format!("the answer: {error}"))?)
        }
        other => Some(Answer::of_text(text_of(other))),
    };
    // Some tools have a place for the text alone, beside the whole.
    let text = answer.as_ref().and_then(|answer| answer.text.as_deref());
    members.retain(|key, value| !keys.contains(&key.as_str()) || !(is_empty(value) || value.as_str() == text));
    if let Some(calls) = take::<Vec<ToolCall>>(members, calls)? {
        answer.get_or_insert_default().tool_calls = calls;
    }
    // Kept, it would be nothing, and differ from what is kept each time.
    Ok(answer.filter(|answer| *answer != Answer::default()))
}

fn is_answer(members: &Map<String, Value>) -> bool {
    members.keys().all(|key| key == "text" || key == "tool_calls")
}

/// By our name, or by Langfuse's.
fn source(members: &mut Map<String, Value>) -> Result<Option<Source>, String> {
    let own: Option<Source> = take(members, "source")?;
    let mut source = own.unwrap_or_default();
    for (key, id) in [
        ("trace_id", &mut source.trace_id),
        ("span_id", &mut source.span_id),
        ("content_hash", &mut source.content_hash),
    ] {
        *id = take(members, key)?.or(id.take());
    }
    source.trace_id = take(members, "sourceTraceId")?.or(source.trace_id);
    source.span_id = take(members, "sourceObservationId")?.or(source.span_id);
    Ok((source != Source::default()).then_some(source))
}

/// A text as it is; anything else as JSON.
pub(super) fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
