//! What differs between two versions of a dataset.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Dataset;
use crate::Example;

/// An example that came or went, or a member of one that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Difference {
    pub example: String,
    /// added, removed or changed.
    pub what: &'static str,
    /// The member that changed.
    pub member: Option<String>,
    /// What it was; absent where there was none.
    pub before: Option<Value>,
    /// What it is; absent where there is none.
    pub after: Option<Value>,
}

/// What differs, by the examples' ids.
#[must_use]
pub fn difference(before: &Dataset, after: &Dataset) -> Vec<Difference> {
    let whole = |example: &Example, what| Difference {
        example: example.id.clone(),
        what,
        member: None,
        before: None,
        after: None,
    };
    let gone = before.examples().filter(|example| after.get(&example.id).is_none());
    let mut all: Vec<Difference> = gone.map(|example| whole(example, "removed")).collect();
    for example in after.examples() {
        match before.get(&example.id) {
            None => all.push(whole(example, "added")),
            Some(earlier) => all.extend(changed(earlier, example)),
        }
    }
    all.sort_by(|a, b| a.example.cmp(&b.example));
    all
}

fn changed(before: &Example, after: &Example) -> Vec<Difference> {
    let members = |example: &Example| match json!(example) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let (old, new) = (members(before), members(after));
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let differs = names.filter(|name| *name != "revision" && old.get(*name) != new.get(*name));
    let one = |name: &String| Difference {
        example: after.id.clone(),
        what: "changed",
        member: Some(name.clone()),
        before: old.get(name).cloned(),
        after: new.get(name).cloned(),
    };
    differs.map(one).collect()
}
