//! Messages with places for what there is about an example.

use std::collections::HashSet;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Example;

/// A message of a candidate or a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// `system`, `user`, `assistant`, or `conversation` for where the example's messages come.
    pub role: String,
    /// The text with its variables.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

/// What is wrong with a template, if anything is.
pub(crate) fn check_template(text: &str) -> Result<(), String> {
    environment().template_from_str(text).map(|_| ()).map_err(|error| error.to_string())
}

/// A template filled with what there is about an example.
pub(crate) fn render(text: &str, example: &Example) -> Result<String, String> {
    let variables = example.metadata.get("variables");
    let about = context! {
        question => example.question(), variables => variables,
        metadata => example.metadata, documents => example.documents, tags => example.tags,
        messages => example.messages,
        ..minijinja::Value::from_serialize(variables.and_then(Value::as_object).unwrap_or(&Map::new()))
    };
    let environment = environment();
    let template = environment.template_from_str(text).map_err(|error| error.to_string())?;
    template.render(&about).map_err(|error| {
        let missing = missing(&environment, &template.undeclared_variables(true), &about);
        if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
            format!("the example has no {}, which the template asks for", missing.join(", "))
        } else {
            error.to_string()
        }
    })
}

/// What of the names, such as `metadata.customer`, is not there.
fn missing(environment: &Environment<'_>, names: &HashSet<String>, about: &minijinja::Value) -> Vec<String> {
    let is_there = |name: &&String| {
        let mut at = about.clone();
        name.split('.').all(|part| {
            at = at.get_attr(part).unwrap_or_default();
            !at.is_undefined()
        })
    };
    let is_function = |name: &&String| environment.globals().any(|(global, _)| global == name.as_str());
    let mut missing: Vec<String> =
        names.iter().filter(|name| !is_there(name) && !is_function(name)).map(|name| format!("`{name}`")).collect();
    missing.sort();
    missing
}
