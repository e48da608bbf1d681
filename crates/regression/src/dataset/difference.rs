//! What differs between two versions of a dataset.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Dataset;
use crate::Example;

/// What became of an example from one version to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Difference {
    pub example: String,
    /// added, removed or changed.
    pub what: &'static str,
    /// The members that changed.
    pub members: Vec<String>,
    pub before: Option<u32>,
    pub after: Option<u32>,
}

/// What differs, by the examples' ids.
#[must_use]
pub fn difference(before: &Dataset, after: &Dataset) -> Vec<Difference> {
    let gone = before.examples().filter(|example| after.get(&example.id).is_none()).map(|example| Difference {
        example: example.id.clone(),
        what: "removed",
        members: Vec::new(),
        before: Some(example.revision),
        after: None,
    });
    let there = after.examples().filter_map(|example| match before.get(&example.id) {
        None => Some(Difference {
            example: example.id.clone(),
            what: "added",
            members: Vec::new(),
            before: None,
            after: Some(example.revision),
        }),
        Some(earlier) if earlier.revision == example.revision => None,
        Some(earlier) => Some(Difference {
            example: example.id.clone(),
            what: "changed",
            members: changed(earlier, example),
            before: Some(earlier.revision),
            after: Some(example.revision),
        }),
    });
    let mut all: Vec<Difference> = gone.chain(there).collect();
    all.sort_by(|a, b| a.example.cmp(&b.example));
    all
}

fn changed(before: &Example, after: &Example) -> Vec<String> {
    let members = |example: &Example| match json!(example) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let (before, after) = (members(before), members(after));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    names.filter(|name| *name != "revision" && before.get(*name) != after.get(*name)).cloned().collect()
}
