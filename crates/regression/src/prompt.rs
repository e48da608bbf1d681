//! A prompt on record: what a model is told, where calls go, and what binds them, whole in each revision.
//!
//! ```toml
//! name = "refund-helper"          # the path of the file otherwise
//! version = "13"                  # what the application reports; the number of the revision otherwise
//! owner = "ann"
//! reviewers = ["bob", "cleo"]     # who may approve; anybody but the proposer otherwise
//! approvals = 1                   # see `release` for which revision's hold
//! purpose = "Answers questions about refunds."
//!
//! [routing]
//! provider = "openai"
//! model = "gpt-4.1-mini"
//!
//! [parameters]
//! temperature = 0
//!
//! [policy]                        # tools, tool_choice, response_format
//! tool_choice = "auto"
//!
//! [thresholds]                    # what the verdict that it goes live on has to show, by scorers of the gate
//! right = 0.9
//!
//! [[message]]
//! role = "system"
//! content = "You help {{ customer }}."
//! ```
//!
//! A workflow, `kind = "workflow"`, is recorded alike, so that its versions are released alike; it needs no messages.
//!
//! A file that is no TOML, such as `refund-helper.md`, is the text of the instructions alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::dataset::{Signed, check_name};
use crate::fingerprint;
use crate::template::Template;

#[cfg(test)]
mod tests;

/// What a record is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a model is told.
    #[default]
    Prompt,
    /// What an application runs: it goes by its name and version, and its text is elsewhere.
    Workflow,
}

/// A prompt or workflow as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the page of the module shows it")]
pub struct PromptFile {
    pub kind: Kind,
    pub name: Option<String>,
    pub version: Option<String>,
    pub owner: Option<String>,
    pub reviewers: Vec<String>,
    pub approvals: Option<u32>,
    pub purpose: Option<String>,
    pub variables: Option<Vec<String>>,
    pub routing: Map<String, Value>,
    pub parameters: Map<String, Value>,
    pub policy: Map<String, Value>,
    pub thresholds: Map<String, Value>,
    #[serde(rename = "message")]
    pub messages: Vec<Template>,
}

/// A row of the table `prompts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns of the published schema")]
pub struct Prompt {
    #[serde(default)]
    pub kind: Kind,
    pub name: String,
    pub revision: i64,
    pub version: String,
    pub author: String,
    pub note: Option<String>,
    pub template: String,
    #[serde(default)]
    pub variables: Vec<String>,
    pub parameters: Option<String>,
    pub routing: Option<String>,
    pub policy: Option<String>,
    pub owner: Option<String>,
    #[serde(default)]
    pub reviewers: Vec<String>,
    pub approvals: Option<i64>,
    pub purpose: Option<String>,
    pub thresholds: Option<String>,
    pub source: Option<String>,
    pub commit: Option<String>,
    pub content_hash: String,
    pub routing_hash: String,
    pub policy_hash: String,
}

/// Where a prompt was taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "columns of the published schema")]
pub struct Origin {
    pub source: Option<String>,
    pub commit: Option<String>,
}

impl PromptFile {
    /// Reads a file of that path, which gives the name where the file does not.
    ///
    /// # Errors
    /// When it is no prompt.
    pub fn parse(path: &str, text: &str) -> Result<Self, String> {
        let (stem, ending) = path.rsplit_once('.').unwrap_or((path, ""));
        let mut file: Self = if ending == "toml" {
            toml::from_str(text).map_err(|error| error.to_string())?
        } else {
            let instructions = Template { role: "system".to_owned(), content: text.trim_end().to_owned() };
            Self { messages: vec![instructions], ..Self::default() }
        };
        file.check()?;
        let name = file.name.get_or_insert_with(|| stem.replace('\\', "/"));
        check_name(name).map_err(|error| error.to_string())?;
        Ok(file)
    }

    /// Whether it can be recorded: a prompt has text, its version can be told from its name, and thresholds are such as
    /// can be held against a verdict.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let is_blank = self.messages.iter().all(|message| message.content.trim().is_empty());
        if is_blank && self.kind == Kind::Prompt {
            return Err("it has no text; write it as [[message]] with `role` and `content`".to_owned());
        }
        // Trials and spans name it as NAME@VERSION.
        if let Some(version) = &self.version
            && (version.is_empty() || version.trim() != version || version.contains('@'))
        {
            return Err(format!("`{version}` is no version: one is not empty, and has no `@` and no spaces around it"));
        }
        thresholds(&self.thresholds).map(drop)
    }

    /// The row of its next revision after `last`; `None` where it says the same.
    #[must_use]
    pub fn next(&self, last: Option<&Prompt>, signed: &Signed, origin: &Origin) -> Option<Prompt> {
        let revision = last.map_or(0, |last| last.revision) + 1;
        let members = |members: &Map<String, Value>| (!members.is_empty()).then(|| sorted(members));
        let template = json!(self.messages).to_string();
        let routing_hash = fingerprint(json!([sorted(&self.routing), sorted(&self.parameters)]).to_string().as_bytes());
        let version = self.version.clone().unwrap_or_else(|| revision.to_string());
        // The text of a workflow is elsewhere, so its versions are what tells them apart.
        let content = match self.kind {
            Kind::Prompt => template.clone(),
            Kind::Workflow => json!([template, version]).to_string(),
        };
        let next = Prompt {
            kind: self.kind,
            name: self.name.clone().unwrap_or_default(),
            revision,
            version,
            author: signed.author.clone(),
            note: signed.note.clone(),
            variables: self.variables.clone().unwrap_or_else(|| variables(&self.messages)),
            parameters: members(&self.parameters),
            routing: members(&self.routing),
            policy: members(&self.policy),
            owner: self.owner.clone(),
            reviewers: self.reviewers.clone(),
            approvals: self.approvals.map(i64::from),
            purpose: self.purpose.clone(),
            thresholds: members(&self.thresholds),
            source: origin.source.clone(),
            commit: origin.commit.clone(),
            content_hash: fingerprint(content.as_bytes()),
            routing_hash,
            policy_hash: fingerprint(sorted(&self.policy).as_bytes()),
            template,
        };
        let says = |prompt: &Prompt| {
            // A version that is the revision's number says nothing of its own.
            let version = Some(&prompt.version).filter(|version| **version != prompt.revision.to_string()).cloned();
            let Prompt { template, variables, parameters, routing, policy, owner, .. } = prompt.clone();
            let Prompt { reviewers, approvals, purpose, thresholds, .. } = prompt.clone();
            (
                version,
                template,
                variables,
                parameters,
                routing,
                policy,
                (owner, reviewers, approvals, purpose, thresholds),
            )
        };
        (last.map(says) != Some(says(&next))).then_some(next)
    }
}

fn sorted(members: &Map<String, Value>) -> String {
    let mut value = Value::Object(members.clone());
    value.sort_all_objects();
    value.to_string()
}

/// The names in `{{ … }}`, in their order.
fn variables(messages: &[Template]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for message in messages {
        for part in message.content.split("{{").skip(1) {
            let inside = part.split("}}").next().unwrap_or_default();
            let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            let name: String =
                inside.trim_start_matches('-').trim_start().chars().take_while(|c| is_name(*c)).collect();
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

impl Prompt {
    /// What changed since `before`: content, routing, policy. Everything, where there was nothing.
    #[must_use]
    pub fn changes(&self, before: Option<&Self>) -> Vec<String> {
        let pairs = [
            ("content", &self.content_hash, before.map(|before| &before.content_hash)),
            ("routing", &self.routing_hash, before.map(|before| &before.routing_hash)),
            ("policy", &self.policy_hash, before.map(|before| &before.policy_hash)),
        ];
        pairs.into_iter().filter(|(_, now, then)| Some(*now) != *then).map(|(name, ..)| name.to_owned()).collect()
    }

    /// Its messages.
    #[must_use]
    pub fn messages(&self) -> Vec<Template> {
        serde_json::from_str(&self.template).unwrap_or_default()
    }

    /// What governs its releases and changed since `before`: owner, reviewers, approvals, purpose, thresholds. Calls do
    /// not depend on it.
    #[must_use]
    pub fn governance(&self, before: &Self) -> Vec<String> {
        let changed = [
            ("owner", self.owner != before.owner),
            ("reviewers", self.reviewers != before.reviewers),
            ("approvals", self.approvals != before.approvals),
            ("purpose", self.purpose != before.purpose),
            ("thresholds", self.thresholds != before.thresholds),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name.to_owned()).collect()
    }

    /// What a verdict has to show before it goes live: names of scorers, and the least share of each.
    ///
    /// # Errors
    /// When one is no number from 0 to 1.
    pub fn thresholds(&self) -> Result<BTreeMap<String, f64>, String> {
        let read = self.thresholds.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        thresholds(&read)
    }

    /// All that a model is told and called with, what governs its releases, and where it came from, as JSON.
    #[must_use]
    pub fn whole(&self) -> Value {
        let read = |text: &Option<String>| -> Value {
            text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
        };
        json!({
            "kind": self.kind, "name": self.name, "revision": self.revision, "version": self.version,
            "messages": self.messages(), "variables": self.variables, "parameters": read(&self.parameters), "routing": read(&self.routing),
            "policy": read(&self.policy), "owner": self.owner, "reviewers": self.reviewers,
            "approvals": self.approvals, "purpose": self.purpose, "thresholds": read(&self.thresholds),
            "author": self.author, "note": self.note, "source": self.source, "commit": self.commit,
        })
    }
}

fn thresholds(members: &Map<String, Value>) -> Result<BTreeMap<String, f64>, String> {
    let read = |(name, value): (&String, &Value)| match value.as_f64() {
        Some(share) if (0.0..=1.0).contains(&share) => Ok((name.clone(), share)),
        _ => Err(format!("threshold `{name}` is {value}; give the least share of that scorer, from 0 to 1")),
    };
    members.iter().map(read).collect()
}
