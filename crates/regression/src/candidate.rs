//! A candidate: what is to be tried on examples. A prompt, a model, parameters, and where to send them.
//!
//! ```toml
//! name = "refund-helper@13"             # what its trials are marked with; `file:PATH` otherwise
//! model = "gpt-4.1-mini"
//!
//! [endpoint]
//! kind = "openai"                       # or "anthropic"
//! url = "https://api.openai.com/v1"     # by the kind otherwise
//! key = "OPENAI_API_KEY"                # the variable of the environment that holds the key
//!
//! [parameters]                          # as the endpoint takes them
//! temperature = 0
//!
//! [[message]]
//! role = "system"
//! content = "You help {{ metadata.customer }}. Today is {{ variables.today }}."
//!
//! [[message]]
//! role = "conversation"                 # here the example's own messages come, without its instructions
//! ```
//!
//! Without messages, the example's own are sent as they are. `{{ … }}` are templates in the syntax of Jinja, over
//! `question`, `variables`, `metadata`, `documents`, `tags` and `messages` of the example, and over its variables by
//! their own names; a variable that is not there is an error that names it, not an empty text. `tools` replaces the tools
//! of the examples, `response_format` asks for structured output.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::example::Message;
use crate::prompt::{Kind, Prompt};
use crate::template::{Template, check_template, render};
use crate::{Example, fingerprint};

#[cfg(test)]
mod tests;
pub mod wire;

/// The role in whose place the example's conversation comes.
const CONVERSATION: &str = "conversation";

/// A candidate.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// What its trials are marked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The model; that of the example where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where to send it.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// Sent along as they are.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// In place of the tools that the example was offered, in the form of OpenAI's chat completions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Value>>,
    /// Structured output, in the form of OpenAI's chat completions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
    /// The messages with places for variables.
    #[serde(default, rename = "message", skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Template>,
}

/// Where requests go.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoint {
    /// Which interface it has.
    pub kind: wire::Kind,
    /// Its address; the provider's where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The variable of the environment that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Why a candidate cannot be tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CandidateError {
    #[error("{0}")]
    File(String),
    #[error("message {message}: {reason}")]
    Template { message: usize, reason: String },
    #[error("neither the candidate nor the example names a model")]
    NoModel,
}

/// What is sent for one example.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Request {
    pub model: String,
    pub messages: Vec<Message>,
    pub tools: Vec<Value>,
    pub parameters: Map<String, Value>,
    pub response_format: Option<Value>,
}

/// Parameters of the example's call that are not sent again: they are said elsewhere, or are about how it was sent.
const NOT_SENT: [&str; 8] = ["model", "stream", "streaming", "stream_options", "n", "user", "tools", "request_type"];

impl Candidate {
    /// Reads a candidate's file.
    ///
    /// # Errors
    /// When it is no such file, or a template in it cannot be read.
    pub fn parse(text: &str) -> Result<Self, CandidateError> {
        let candidate: Self = toml::from_str(text).map_err(|error| CandidateError::File(error.to_string()))?;
        candidate.check()?;
        Ok(candidate)
    }

    /// The candidate that a prompt on record is. `provider`, `model`, `url` and `key` of its routing say where it goes;
    /// `tools`, `tool_choice` and `response_format` of its policy are sent.
    ///
    /// # Errors
    /// When its routing names no endpoint that can be called, or a template in it cannot be read.
    pub fn of_prompt(prompt: &Prompt) -> Result<Self, CandidateError> {
        if prompt.kind == Kind::Workflow {
            return Err(CandidateError::File(format!(
                "`{}` is a workflow: only its application can run it; mark its runs with the attributes of trials",
                prompt.name
            )));
        }
        let whole = prompt.whole();
        let text = |name: &str| whole["routing"][name].as_str().map(str::to_owned);
        let kind = match text("provider").as_deref() {
            Some("anthropic") => wire::Kind::Anthropic,
            Some(other) if other != "openai" && text("url").is_none() => {
                return Err(CandidateError::File(format!(
                    "the provider `{other}` has no known address: give `url` in the routing of `{}`, where it takes \
                     OpenAI's chat completions",
                    prompt.name
                )));
            }
            _ => wire::Kind::OpenAi,
        };
        let mut parameters = whole["parameters"].as_object().cloned().unwrap_or_default();
        let policy = |name: &str| whole["policy"].get(name).cloned();
        parameters.extend(policy("tool_choice").map(|choice| ("tool_choice".to_owned(), choice)));
        let candidate = Self {
            name: Some(format!("{}@{}", prompt.name, prompt.version)),
            model: text("model"),
            endpoint: Endpoint { kind, url: text("url"), key: text("key") },
            parameters,
            tools: policy("tools").and_then(|tools| tools.as_array().cloned()),
            response_format: policy("response_format"),
            messages: prompt.messages(),
        };
        candidate.check()?;
        Ok(candidate)
    }

    /// What tells what it says from what others say, by whatever name and wherever it is sent.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut said = json!(Self { name: None, endpoint: Endpoint::default(), ..self.clone() });
        said.sort_all_objects();
        fingerprint(said.to_string().as_bytes())
    }

    fn check(&self) -> Result<(), CandidateError> {
        for (number, template) in (1..).zip(&self.messages) {
            if !matches!(template.role.as_str(), "system" | "developer" | "user" | "assistant" | CONVERSATION) {
                let reason =
                    format!("`{}` is no role; it is system, developer, user, assistant or conversation", template.role);
                return Err(CandidateError::Template { message: number, reason });
            }
            check_template(&template.content).map_err(|reason| wrong(number, reason))?;
        }
        Ok(())
    }

    /// What is sent for an example.
    ///
    /// # Errors
    /// When a variable of a template is not there, or no model is named.
    pub fn request(&self, example: &Example) -> Result<Request, CandidateError> {
        let of_example = example.parameters.get("model").and_then(Value::as_str);
        let model = self.model.as_deref().or(of_example).ok_or(CandidateError::NoModel)?;
        let mut parameters = example.parameters.clone();
        // A parameter of the example belongs to its model, and so does a response format.
        if self.model.is_some() && self.model.as_deref() != of_example {
            parameters.clear();
        }
        let response_format = parameters.remove("response_format");
        parameters.retain(|name, _| !NOT_SENT.contains(&name.as_str()));
        parameters.extend(self.parameters.clone());
        Ok(Request {
            model: model.to_owned(),
            messages: self.filled(example)?,
            tools: self.tools.clone().unwrap_or_else(|| example.tools.clone()),
            response_format: self.response_format.clone().or(response_format),
            parameters,
        })
    }

    fn filled(&self, example: &Example) -> Result<Vec<Message>, CandidateError> {
        if self.messages.is_empty() {
            return Ok(example.messages.clone());
        }
        let is_instruction = |message: &&Message| message.role == "system" || message.role == "developer";
        let conversation = || example.messages.iter().filter(|message| !is_instruction(message)).cloned();
        let mut messages = Vec::new();
        for (number, template) in (1..).zip(&self.messages) {
            if template.role == CONVERSATION {
                messages.extend(conversation());
                continue;
            }
            let text = render(&template.content, example).map_err(|reason| wrong(number, reason))?;
            messages.push(Message::of_text(template.role.clone(), text));
        }
        // Instructions alone are put before what the example's user says.
        if self.messages.iter().all(|template| template.role == "system" || template.role == "developer") {
            messages.extend(conversation());
        }
        Ok(messages)
    }
}

fn wrong(message: usize, reason: String) -> CandidateError {
    CandidateError::Template { message, reason }
}
