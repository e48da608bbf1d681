//! Anthropic's messages.

use serde_json::{Map, Value, json};

use super::super::Request;
use super::{Response, Usage, media, members, text};
use crate::example::Message;
use crate::{Answer, ToolCall};

/// The interface wants a limit; this is what it is where nobody says one.
const MAX_TOKENS: u32 = 4096;

/// Parameters by OpenAI's names that mean the same.
const RENAMED: [(&str, &str); 2] = [("max_completion_tokens", "max_tokens"), ("stop", "stop_sequences")];

/// Parameters that the interface does not take.
const UNKNOWN: [&str; 7] = [
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "logit_bias",
    "reasoning_effort",
    "parallel_tool_calls",
];

pub(super) fn takes(parameter: &str) -> bool {
    !UNKNOWN.contains(&parameter)
}

pub(super) fn body(request: &Request) -> Value {
    let mut body = request.parameters.clone();
    body.retain(|name, _| takes(name));
    for (from, to) in RENAMED {
        if let Some(value) = body.remove(from) {
            let value = if to == "stop_sequences" && value.is_string() { json!([value]) } else { value };
            body.entry(to).or_insert(value);
        }
    }
    body.entry("max_tokens").or_insert(Value::from(MAX_TOKENS));
    body.insert("model".to_owned(), Value::from(request.model.as_str()));
    let is_instruction = |message: &&Message| message.role == "system" || message.role == "developer";
    let instructions: Vec<String> = request.messages.iter().filter(is_instruction).filter_map(Message::text).collect();
    if !instructions.is_empty() {
        body.insert("system".to_owned(), Value::from(instructions.join("\n\n")));
    }
    let said = request.messages.iter().filter(|message| !is_instruction(message));
    body.insert("messages".to_owned(), Value::from(turns(said)));
    let mut tools: Vec<Value> = super::tools(request).iter().map(tool).collect();
    if let Some(choice) = body.remove("tool_choice") {
        body.insert("tool_choice".to_owned(), tool_choice(choice));
    }
    if let Some(schema) = request
        .response_format
        .as_ref()
        .map(|format| &format["json_schema"]["schema"])
        .filter(|schema| schema.is_object())
    {
        // Structured output is a tool that has to be called.
        tools.push(json!({ "name": STRUCTURED, "description": "Answer in this form.", "input_schema": schema }));
        body.insert("tool_choice".to_owned(), json!({ "type": "tool", "name": STRUCTURED }));
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), Value::from(tools));
    }
    Value::Object(body)
}

/// The tool that structured output is asked for by.
const STRUCTURED: &str = "structured_answer";

fn tool(tool: &Value) -> Value {
    let mut written = members(&tool["function"]);
    let schema = written.remove("parameters").unwrap_or_else(|| json!({ "type": "object" }));
    written.insert("input_schema".to_owned(), schema);
    Value::Object(written)
}

fn tool_choice(choice: Value) -> Value {
    match choice.as_str() {
        Some("required") => json!({ "type": "any" }),
        Some(kind) => json!({ "type": kind }),
        None if choice["function"]["name"].is_string() => json!({ "type": "tool", "name": choice["function"]["name"] }),
        None => choice,
    }
}

/// Messages of one role in a row are one turn; what tools answered is the user's.
fn turns<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in messages {
        let role = if message.role == "assistant" { "assistant" } else { "user" };
        let blocks = blocks(message);
        match turns.last_mut() {
            Some((last, all)) if *last == role => all.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    turns.into_iter().map(|(role, blocks)| json!({ "role": role, "content": blocks })).collect()
}

fn blocks(message: &Message) -> Vec<Value> {
    if message.role == "tool" {
        let id = message.rest.get("tool_call_id");
        return vec![json!({ "type": "tool_result", "tool_use_id": id, "content": message.text() })];
    }
    let said: Vec<Value> = match &message.content {
        Value::Array(parts) => parts.iter().filter_map(block).collect(),
        _ => message.text().map(|text| json!({ "type": "text", "text": text })).into_iter().collect(),
    };
    let ids = message.rest.get("tool_calls").and_then(Value::as_array);
    let ids: Vec<&Value> = ids.into_iter().flatten().map(|call| &call["id"]).collect();
    let calls = message
        .answer()
        .tool_calls
        .into_iter()
        .zip(ids)
        .map(|(call, id)| json!({ "type": "tool_use", "id": id, "name": call.name, "input": call.arguments }));
    said.into_iter().chain(calls).collect()
}

fn block(part: &Value) -> Option<Value> {
    match part["text"].as_str() {
        Some(text) => Some(json!({ "type": "text", "text": text })),
        None => media::anthropic(part),
    }
}

pub(super) fn read(body: &Value) -> Result<Response, String> {
    let blocks = body["content"].as_array().ok_or("the answer has no `content`")?;
    let mut answer = Answer::default();
    for block in blocks {
        match block["type"].as_str() {
            Some("text") => answer.text.get_or_insert_default().push_str(block["text"].as_str().unwrap_or_default()),
            Some("tool_use") if block["name"] == STRUCTURED => answer.text = Some(block["input"].to_string()),
            Some("tool_use") => answer
                .tool_calls
                .push(ToolCall { name: text(&block["name"]).unwrap_or_default(), arguments: block["input"].clone() }),
            _ => {}
        }
    }
    let usage: Map<String, Value> = members(&body["usage"]);
    let count = |name: &str| usage.get(name).and_then(Value::as_i64);
    let cached = [count("cache_read_input_tokens"), count("cache_creation_input_tokens")];
    Ok(Response {
        id: text(&body["id"]),
        model: text(&body["model"]),
        answer,
        finish_reason: text(&body["stop_reason"]).map(|reason| {
            match reason.as_str() {
                "end_turn" | "stop_sequence" => "stop",
                "max_tokens" => "length",
                "tool_use" => "tool_calls",
                other => return other.to_owned(),
            }
            .to_owned()
        }),
        service_tier: usage.get("service_tier").and_then(text),
        usage: Usage {
            // What was cached is counted beside the input.
            input: count("input_tokens").map(|input| input + cached.iter().flatten().sum::<i64>()),
            output: count("output_tokens"),
            cache_read: cached[0],
            cache_write: cached[1],
            reasoning: None,
        },
    })
}
