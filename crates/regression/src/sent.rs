//! Messages and tools as applications sent them, in whatever dialect, in the form of OpenAI's chat completions.
//!
//! OpenTelemetry parts, OpenAI and Anthropic blocks, LangChain constructors, Gemini and Bedrock parts, Vercel contents,
//! flattened keys, plain text: all say a role, texts, tool calls and their results, and only those are read. Parts that
//! are none of these, such as images, are kept as sent; a model's reasoning is left out, for no endpoint takes it back.

use serde_json::{Map, Value, json};

use crate::example::Message;

mod flat;
#[cfg(test)]
mod tests;
mod tools;

pub use tools::tools;

/// Messages nest no deeper than this.
const MAX_DEPTH: usize = 12;

/// Members that lead to more of a message.
const NESTED: [&str; 14] = [
    "message",
    "parts",
    "kwargs",
    "data",
    "update",
    "messages",
    "choices",
    "generations",
    "replies",
    "candidates",
    "message_content",
    "contents",
    "prompt",
    "completion",
];

/// The messages that `sent` holds: one, or several where it is a list or holds the results of tools. `role` is for a
/// message that does not say its own.
#[must_use]
pub fn messages(sent: &str, role: Option<&str>) -> Vec<Message> {
    let value = decoded(sent);
    match &value {
        Value::Array(items) if items.iter().any(says_role) => items.iter().flat_map(|item| of(item, role)).collect(),
        _ => of(&value, role),
    }
}

/// The text as JSON, taken out of the strings that it is wrapped in; a string where it is none.
fn decoded(sent: &str) -> Value {
    let mut text = sent.to_owned();
    for _ in 0..3 {
        match serde_json::from_str(&text) {
            Ok(Value::String(inner)) => text = inner,
            Ok(value @ (Value::Object(_) | Value::Array(_))) => return value,
            // A number that somebody wrote is their text.
            _ => break,
        }
    }
    Value::from(text)
}

fn says_role(value: &Value) -> bool {
    value.as_object().is_some_and(|members| role_of(&flat::nested(members)).is_some())
}

fn of(value: &Value, role: Option<&str>) -> Vec<Message> {
    let mut found = Found::default();
    found.visit(value, 0);
    found.into_messages(role)
}

/// What a message says.
#[derive(Default)]
struct Found {
    role: Option<String>,
    call_id: Option<String>,
    texts: Vec<String>,
    calls: Vec<Value>,
    results: Vec<(Option<String>, String)>,
    others: Vec<Value>,
}

impl Found {
    fn visit(&mut self, value: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::String(text) => self.text(text, depth),
            Value::Array(items) => items.iter().for_each(|item| self.visit(item, depth + 1)),
            Value::Object(members) => self.object(&flat::nested(members), depth),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, depth: usize) {
        // Blocks encoded once more, as SDKs do that keep contents in strings.
        if text.starts_with("[{")
            && let Ok(blocks @ Value::Array(_)) = serde_json::from_str(text)
            && blocks.as_array().is_some_and(|blocks| blocks.iter().all(is_block))
        {
            return self.visit(&blocks, depth + 1);
        }
        if !text.is_empty() {
            self.texts.push(text.to_owned());
        }
    }

    fn object(&mut self, members: &Map<String, Value>, depth: usize) {
        let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
        self.role = self.role.take().or_else(|| role_of(members));
        match kind {
            "reasoning" | "thinking" | "redacted_thinking" => return,
            "image" | "image_url" | "input_audio" | "file" | "blob" | "uri" | "document" => {
                return self.others.push(Value::Object(members.clone()));
            }
            "tool_result" | "tool-result" | "tool_call_response" | "function_call_output" => {
                return self.result(members);
            }
            _ => {}
        }
        for key in ["toolResult", "functionResponse", "tool_call_result"] {
            if let Some(Value::Object(result)) = members.get(key) {
                return self.result(result);
            }
        }
        if matches!(kind, "tool_call" | "tool-call" | "tool_use" | "function_call") || names_a_call(members) {
            return self.call(members);
        }
        for key in ["tool_calls", "function", "toolUse", "functionCall", "tool_call", "function_call"] {
            match members.get(key) {
                Some(Value::Array(calls)) => calls.iter().for_each(|call| self.call_of(call)),
                Some(call @ Value::Object(_)) => self.call_of(call),
                _ => {}
            }
        }
        if depth <= 2 {
            let text = |keys: &[&str]| keys.iter().find_map(|key| members.get(*key)?.as_str().map(str::to_owned));
            self.call_id = self.call_id.take().or_else(|| text(&["tool_call_id", "toolCallId"]));
        }
        let before = (self.texts.len(), self.results.len(), self.others.len());
        for key in ["content", "text", "output_text", "page_content"] {
            if before == (self.texts.len(), self.results.len(), self.others.len())
                && let Some(content) = members.get(key)
            {
                self.visit(content, depth + 1);
            }
        }
        if before == (self.texts.len(), self.results.len(), self.others.len()) {
            NESTED.iter().filter_map(|key| members.get(*key)).for_each(|value| self.visit(value, depth + 1));
        }
    }

    fn result(&mut self, members: &Map<String, Value>) {
        let id = ["tool_use_id", "toolCallId", "toolUseId", "call_id", "tool_call_id", "id"]
            .iter()
            .find_map(|key| members.get(*key)?.as_str().map(str::to_owned));
        let said = ["content", "response", "result", "output", "json"].iter().find_map(|key| members.get(*key));
        let said = said.map(said_by_tool).unwrap_or_default();
        self.results.push((id, said));
    }

    fn call_of(&mut self, call: &Value) {
        if let Value::Object(members) = call {
            self.call(&flat::nested(members));
        }
    }

    fn call(&mut self, members: &Map<String, Value>) {
        let id = ["id", "call_id", "toolCallId", "toolUseId"].iter().find_map(|key| members.get(*key)?.as_str());
        let inner = ["function", "tool_call", "toolUse", "functionCall"].iter().find_map(|key| members.get(*key));
        if let Some(Value::Object(inner)) = inner {
            let mut inner = inner.clone();
            if let Some(id) = id {
                inner.entry("id").or_insert(Value::from(id));
            }
            return self.call(&inner);
        }
        let Some(name) = ["name", "tool_name", "toolName"].iter().find_map(|key| members.get(*key)?.as_str()) else {
            return;
        };
        let arguments = ["arguments", "args", "input"].iter().find_map(|key| members.get(*key));
        let arguments = match arguments {
            Some(Value::String(text)) => text.clone(),
            Some(arguments) => arguments.to_string(),
            None => "{}".to_owned(),
        };
        let id = id.map_or_else(|| format!("call_{}", self.calls.len() + 1), str::to_owned);
        self.calls.push(json!({
            "id": id, "type": "function", "function": { "name": name, "arguments": arguments }
        }));
    }

    fn into_messages(self, role: Option<&str>) -> Vec<Message> {
        let role = self
            .role
            .or_else(|| role.map(as_role))
            .unwrap_or_else(|| if self.calls.is_empty() { "user" } else { "assistant" }.to_owned());
        let mut messages: Vec<Message> = self
            .results
            .into_iter()
            .map(|(id, said)| tool_message(id.or_else(|| self.call_id.clone()), said))
            .collect();
        if role == "tool" && messages.is_empty() {
            return vec![tool_message(self.call_id, self.texts.join("\n"))];
        }
        let text = self.texts.join("\n");
        if text.is_empty() && self.calls.is_empty() && self.others.is_empty() {
            return messages;
        }
        let content = match (self.others.is_empty(), text.is_empty()) {
            (true, true) => Value::Null,
            (true, false) => Value::from(text),
            (false, _) => {
                let text = (!text.is_empty()).then(|| json!({ "type": "text", "text": text }));
                Value::from(text.into_iter().chain(self.others).collect::<Vec<_>>())
            }
        };
        let mut rest = Map::new();
        if !self.calls.is_empty() {
            rest.insert("tool_calls".to_owned(), Value::from(self.calls));
        }
        messages.push(Message { role, content, rest });
        messages
    }
}

fn tool_message(id: Option<String>, said: String) -> Message {
    let mut message = Message::of_text("tool", said);
    if let Some(id) = id {
        message.rest.insert("tool_call_id".to_owned(), Value::from(id));
    }
    message
}

/// What a tool answered, as text: texts of blocks, else the JSON itself.
fn said_by_tool(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(blocks) if !blocks.is_empty() && blocks.iter().all(is_block) => {
            let mut found = Found::default();
            blocks.iter().for_each(|block| found.visit(block, 0));
            found.texts.join("\n")
        }
        // Vercel: `{"type": "text", "value": …}`.
        Value::Object(members) if members.contains_key("type") && members.contains_key("value") => {
            said_by_tool(&members["value"])
        }
        other => other.to_string(),
    }
}

fn is_block(value: &Value) -> bool {
    value.get("type").is_some_and(Value::is_string) || value.get("text").is_some_and(Value::is_string)
}

/// A call without a type: a name with arguments, and neither a role nor contents.
fn names_a_call(members: &Map<String, Value>) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| members.contains_key(*key));
    has(&["name", "tool_name", "toolName"]) && has(&["arguments", "args", "input"]) && !has(&["role", "content"])
}

/// The role that a message says, as OpenAI names it.
fn role_of(members: &Map<String, Value>) -> Option<String> {
    if let Some(role) = members.get("role").and_then(Value::as_str) {
        return Some(as_role(role));
    }
    if let Some(kind) = members.get("type").and_then(Value::as_str)
        && let "human" | "ai" | "system" | "AIMessageChunk" | "tool" = kind
    {
        return Some(as_role(kind));
    }
    if let Some(constructor) = members.get("id").and_then(Value::as_array)
        && let Some(name) = constructor.last().and_then(Value::as_str)
        && let Some(role) = name.split("Message").next().filter(|_| name.contains("Message"))
    {
        return Some(as_role(role));
    }
    let inner = ["message", "prompt", "completion", "content"].iter().find_map(|key| members.get(*key)?.as_object());
    inner.and_then(role_of)
}

fn as_role(role: &str) -> String {
    match role.to_ascii_lowercase().as_str() {
        "human" => "user",
        "ai" | "model" | "aimessagechunk" | "bot" => "assistant",
        "function" => "tool",
        other => return other.to_owned(),
    }
    .to_owned()
}
