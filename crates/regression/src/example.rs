//! An example: a whole case from traffic, or made up, that a candidate can be tried on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Answer, ToolCall};

/// One revision of an example.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The same in all revisions.
    pub id: String,
    /// Counted from 1.
    #[serde(default = "first")]
    pub revision: u32,
    /// What the model is told, in order.
    pub messages: Vec<Message>,
    /// The tools it is offered, each as it is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// What was retrieved for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Temperature and the like.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// What came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Answer>,
    /// What should have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Answer>,
    /// Why it was caught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Such as `train` or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Words to choose it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whatever else is known.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

fn first() -> u32 {
    1
}

/// A message in the form of OpenAI's chat completions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `developer`, `user`, `assistant`, `tool`.
    pub role: String,
    /// A text, or parts; `null` where a message only calls tools.
    #[serde(default)]
    pub content: Value,
    /// `tool_calls`, `tool_call_id`, `name` and whatever else it was sent with.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Something retrieved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Often only the id is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// The span an example was taken from: by id, and by content for when the span has expired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "columns of the published schema")]
pub struct Source {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

impl Document {
    /// It for people: its text, or else that this was not sent.
    #[must_use]
    pub fn shown(&self) -> String {
        let id = self.id.as_deref().unwrap_or("a document");
        self.text.clone().unwrap_or_else(|| format!("{id} (its text was not sent)"))
    }
}

impl Message {
    /// A message of text.
    #[must_use]
    pub fn of_text(role: impl Into<String>, text: impl Into<String>) -> Self {
        Self { role: role.into(), content: Value::from(text.into()), rest: Map::new() }
    }

    /// Its text, with the texts of its parts one after the other. `None` where it has none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match &self.content {
            Value::String(text) => Some(text.clone()),
            Value::Array(parts) => {
                let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
                (!texts.is_empty()).then(|| texts.concat())
            }
            _ => None,
        }
    }

    /// An assistant's message as an answer.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let calls = self.rest.get("tool_calls").and_then(Value::as_array);
        let calls = calls.into_iter().flatten().filter_map(|call| {
            let function = call.get("function").unwrap_or(call);
            let name = function.get("name")?.as_str()?;
            Some(match function.get("arguments") {
                Some(Value::String(arguments)) => ToolCall::parse(name, arguments),
                arguments => ToolCall { name: name.to_owned(), arguments: arguments.cloned().unwrap_or_default() },
            })
        });
        Answer { text: self.text(), tool_calls: calls.collect() }
    }
}

impl From<&Answer> for Message {
    /// The message an assistant answers with; its calls are numbered.
    fn from(answer: &Answer) -> Self {
        let calls: Vec<Value> = answer.tool_calls.iter().zip(1..).map(|(call, number)| wire(call, number)).collect();
        let mut rest = Map::new();
        if !calls.is_empty() {
            rest.insert("tool_calls".to_owned(), Value::from(calls));
        }
        Self { role: "assistant".to_owned(), content: json!(answer.text), rest }
    }
}

fn wire(call: &ToolCall, number: usize) -> Value {
    let arguments = match &call.arguments {
        // Arguments that were no JSON stay as the model wrote them.
        Value::String(text) => text.clone(),
        arguments => arguments.to_string(),
    };
    json!({
        "id": format!("call_{number}"), "type": "function",
        "function": { "name": call.name, "arguments": arguments }
    })
}

impl Example {
    /// BLAKE3 of all that a model is given, in hexadecimal: equal for what would be the same request.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut given = json!([self.messages, self.tools, self.documents, self.parameters]);
        given.sort_all_objects();
        blake3::hash(given.to_string().as_bytes()).to_hex().to_string()
    }

    /// The last thing a user said.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        self.messages.iter().rev().find(|message| message.role == "user")?.text()
    }
}
