//! Requests and answers as endpoints take and give them: OpenAI's chat completions, which many serve, and Anthropic's
//! messages.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Request;
use crate::example::Message;
use crate::{Answer, sent};

mod anthropic;
mod media;

/// The interface of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `POST /chat/completions`.
    #[default]
    OpenAi,
    /// `POST /v1/messages`.
    Anthropic,
}

/// What a call answered.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Response {
    pub id: Option<String>,
    pub model: Option<String>,
    pub answer: Answer,
    pub finish_reason: Option<String>,
    pub service_tier: Option<String>,
    pub usage: Usage,
}

/// Tokens, as OpenTelemetry counts them: input with what was cached, output with reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Usage {
    pub input: Option<i64>,
    pub output: Option<i64>,
    pub cache_read: Option<i64>,
    pub cache_write: Option<i64>,
    pub reasoning: Option<i64>,
}

impl Kind {
    /// The provider by its OpenTelemetry name.
    #[must_use]
    pub fn provider(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    /// The variable of the environment that usually holds the key.
    #[must_use]
    pub fn usual_key(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
        }
    }

    /// Where requests are posted, below `base` or the provider's own address.
    #[must_use]
    pub fn url(self, base: Option<&str>) -> String {
        let (usual, path) = match self {
            Self::OpenAi => ("https://api.openai.com/v1", "/chat/completions"),
            Self::Anthropic => ("https://api.anthropic.com", "/v1/messages"),
        };
        let base = base.unwrap_or(usual).trim_end_matches('/');
        if base.ends_with(path) { base.to_owned() } else { format!("{base}{path}") }
    }

    /// The headers that carry the key, and what else is asked for.
    #[must_use]
    pub fn headers(self, key: Option<&str>) -> Vec<(&'static str, String)> {
        match self {
            Self::OpenAi => key.map(|key| ("authorization", format!("Bearer {key}"))).into_iter().collect(),
            Self::Anthropic => {
                let version = ("anthropic-version", "2023-06-01".to_owned());
                key.map(|key| ("x-api-key", key.to_owned())).into_iter().chain([version]).collect()
            }
        }
    }

    /// Whether the interface can be sent all of a request.
    ///
    /// # Errors
    /// Which part of which message it does not take.
    pub fn check(self, request: &Request) -> Result<(), String> {
        for (number, message) in (1..).zip(&request.messages) {
            for part in parts(message) {
                let is_text = matches!(message.role.as_str(), "system" | "developer" | "tool");
                if is_text || self.part(part).is_none() {
                    let (role, kind) = (&message.role, part["type"].as_str().unwrap_or("(unsaid)"));
                    return Err(format!(
                        "message {number}, which is of `{role}`, has a part of type `{kind}` that {} cannot be sent there",
                        self.provider()
                    ));
                }
            }
        }
        Ok(())
    }

    /// A part that is no text, as the interface takes it.
    fn part(self, part: &Value) -> Option<Value> {
        match self {
            Self::OpenAi => media::openai(part),
            Self::Anthropic => media::anthropic(part),
        }
    }

    /// Whether the interface takes a parameter of that name.
    #[must_use]
    pub fn takes(self, parameter: &str) -> bool {
        self == Self::OpenAi || anthropic::takes(parameter)
    }

    /// The body of a request.
    #[must_use]
    pub fn body(self, request: &Request) -> Value {
        match self {
            Self::OpenAi => openai(request),
            Self::Anthropic => anthropic::body(request),
        }
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// When it has not the form it should have.
    pub fn read(self, body: &Value) -> Result<Response, String> {
        match self {
            Self::OpenAi => read_openai(body),
            Self::Anthropic => anthropic::read(body),
        }
    }
}

fn openai(request: &Request) -> Value {
    let mut body = request.parameters.clone();
    body.insert("model".to_owned(), Value::from(request.model.as_str()));
    body.insert("messages".to_owned(), request.messages.iter().map(written).collect());
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), json!(request.tools));
    }
    if let Some(format) = &request.response_format {
        body.insert("response_format".to_owned(), format.clone());
    }
    Value::Object(body)
}

/// A message with the parts that OpenAI's interface takes.
fn written(message: &Message) -> Value {
    let mut written = json!(message);
    if let Some(parts) = written["content"].as_array_mut() {
        for part in parts.iter_mut().filter(|part| !is_text(part)) {
            *part = media::openai(part).unwrap_or_else(|| part.clone());
        }
    }
    written
}

/// The parts of a message that are no text.
fn parts(message: &Message) -> impl Iterator<Item = &Value> {
    message.content.as_array().into_iter().flatten().filter(|part| !is_text(part))
}

fn is_text(part: &Value) -> bool {
    part["text"].is_string()
}

fn read_openai(body: &Value) -> Result<Response, String> {
    let choice = body["choices"].get(0).ok_or("the answer has no `choices`")?;
    let message: Message = serde_json::from_value(choice["message"].clone())
        .map_err(|error| format!("the answer's message cannot be read: {error}"))?;
    let usage = &body["usage"];
    Ok(Response {
        id: text(&body["id"]),
        model: text(&body["model"]),
        answer: message.answer(),
        finish_reason: text(&choice["finish_reason"]),
        service_tier: text(&body["service_tier"]),
        usage: Usage {
            input: usage["prompt_tokens"].as_i64(),
            output: usage["completion_tokens"].as_i64(),
            cache_read: usage["prompt_tokens_details"]["cached_tokens"].as_i64(),
            cache_write: None,
            reasoning: usage["completion_tokens_details"]["reasoning_tokens"].as_i64(),
        },
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Messages with the parts that OpenTelemetry's GenAI conventions give them.
#[must_use]
pub fn telemetry(messages: &[Message]) -> Value {
    let message = |message: &Message| {
        if message.role == "tool" {
            let id = message.rest.get("tool_call_id");
            let part = json!({ "type": "tool_call_response", "id": id, "response": message.text() });
            return json!({ "role": "tool", "parts": [part] });
        }
        let mut parts: Vec<Value> =
            message.text().into_iter().map(|text| json!({ "type": "text", "content": text })).collect();
        parts.extend(self::parts(message).map(media::telemetry));
        for call in message.rest.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            let function = &call["function"];
            let arguments = function["arguments"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
            parts.push(json!({
                "type": "tool_call", "id": call["id"], "name": function["name"],
                "arguments": arguments.unwrap_or_else(|| function["arguments"].clone()),
            }));
        }
        json!({ "role": message.role, "parts": parts })
    };
    messages.iter().map(message).collect()
}

/// What an answer has to say, as messages that came out.
#[must_use]
pub fn telemetry_of_answer(answer: &Answer, finish_reason: Option<&str>) -> Value {
    let mut messages = telemetry(&[Message::from(answer)]);
    if let Some(reason) = finish_reason {
        messages[0]["finish_reason"] = Value::from(reason);
    }
    messages
}

/// The tools that a request offers, as they are read back.
#[must_use]
pub fn tools(request: &Request) -> Vec<Value> {
    sent::tools(&Value::from(request.tools.clone()).to_string())
}

/// The members of an object, or none.
fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
