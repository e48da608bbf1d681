//! Tool definitions as they were sent.

use serde_json::{Map, Value, json};

use super::{decoded, flat};

/// The tools that `sent` defines, each in the form of OpenAI's chat completions. What is no definition is kept as sent.
#[must_use]
pub fn tools(sent: &str) -> Vec<Value> {
    let mut found = Vec::new();
    add(&decoded(sent), &mut found);
    found
}

fn add(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| add(item, found)),
        // Each written as text, as Vercel does.
        Value::String(text) => match decoded(text) {
            Value::String(_) => {}
            inner => add(&inner, found),
        },
        Value::Object(members) => {
            let members = flat::nested(members);
            let lists = ["functionDeclarations", "function_declarations", "tools"];
            if let Some(list @ Value::Array(_)) = lists.iter().find_map(|key| members.get(*key)) {
                return add(list, found);
            }
            found.push(definition(&members).unwrap_or(Value::Object(members)));
        }
        _ => {}
    }
}

fn definition(members: &Map<String, Value>) -> Option<Value> {
    for key in ["function", "toolSpec", "tool", "json_schema"] {
        match members.get(key) {
            Some(Value::Object(inner)) => return definition(inner),
            Some(Value::String(text)) => {
                if let Value::Object(inner) = decoded(text) {
                    return definition(&inner);
                }
            }
            _ => {}
        }
    }
    let name = members.get("name")?.as_str()?;
    let parameters = ["parameters", "input_schema", "inputSchema", "parametersJsonSchema"]
        .iter()
        .find_map(|key| members.get(*key))
        .map(|schema| match schema {
            Value::String(text) => decoded(text),
            Value::Object(wrapped) if wrapped.len() == 1 && wrapped.contains_key("json") => wrapped["json"].clone(),
            other => other.clone(),
        });
    let mut function = Map::from_iter([("name".to_owned(), Value::from(name))]);
    function.extend(members.get("description").map(|text| ("description".to_owned(), text.clone())));
    function.extend(parameters.map(|schema| ("parameters".to_owned(), schema)));
    function.extend(members.get("strict").map(|strict| ("strict".to_owned(), strict.clone())));
    Some(json!({ "type": "function", "function": function }))
}
