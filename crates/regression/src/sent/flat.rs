//! Objects whose members are paths, such as `message.tool_calls.0.tool_call.function.name`.

use serde_json::{Map, Value};

/// A list with more items than this was made by nobody.
const MAX_ITEMS: usize = 1024;

/// The object with its paths as objects and lists; as it is where it has none.
pub(super) fn nested(members: &Map<String, Value>) -> Map<String, Value> {
    if !members.keys().any(|key| is_path(key)) {
        return members.clone();
    }
    let mut tree = Value::Object(Map::new());
    for (key, value) in members {
        if is_path(key) {
            put(&mut tree, key.split('.'), value);
        } else if let Value::Object(tree) = &mut tree {
            tree.insert(key.clone(), value.clone());
        }
    }
    match tree {
        Value::Object(tree) => tree,
        _ => members.clone(),
    }
}

fn is_path(key: &str) -> bool {
    key.contains('.') && key.split('.').all(|step| !step.is_empty() && !step.contains(char::is_whitespace))
}

fn put<'k>(at: &mut Value, mut steps: impl Iterator<Item = &'k str>, value: &Value) {
    let Some(step) = steps.next() else {
        *at = value.clone();
        return;
    };
    if let Ok(index) = step.parse::<usize>()
        && index < MAX_ITEMS
    {
        if !at.is_array() {
            *at = Value::Array(Vec::new());
        }
        if let Value::Array(items) = at {
            if items.len() <= index {
                items.resize(index + 1, Value::Null);
            }
            put(&mut items[index], steps, value);
        }
        return;
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(members) = at {
        put(members.entry(step).or_insert(Value::Null), steps, value);
    }
}
