//! What a model answered, or should have.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer: text, tool calls, or both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What it says; `None` where it only calls tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The calls it asks for, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
}

impl Answer {
    /// An answer of text alone.
    #[must_use]
    pub fn of_text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), tool_calls: Vec::new() }
    }
}

/// A call of a tool that a model asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// What it is called with; text where the model wrote what is not JSON.
    #[serde(default)]
    pub arguments: Value,
}

impl ToolCall {
    /// A call whose arguments are JSON text, as providers send them; kept as text where they are not JSON.
    #[must_use]
    pub fn parse(name: impl Into<String>, arguments: &str) -> Self {
        let arguments = serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments));
        Self { name: name.into(), arguments }
    }
}
