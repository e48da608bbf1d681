//! Datasets: revisions of examples, one change after another, none of which is ever undone.
//!
//! A **version** of a dataset is one change to it, of any number of examples, counted from 1. The state at a version is
//! the last revision of each example up to it, without those that were archived.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Example;
use crate::example::Source;

mod difference;
mod pin;
mod schema;
#[cfg(test)]
mod tests;

pub use difference::{Difference, difference};
pub use pin::{At, Pin, PinError, check_name};
pub use schema::Schema;

/// What a change does to an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Change {
    Create,
    Patch,
    Archive,
    /// It was archived, and is there again.
    Restore,
    /// It is about the dataset itself.
    Describe,
}

/// A row of the table `examples`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "columns of the published schema")]
pub struct Revision {
    pub dataset: String,
    pub version: i64,
    pub change: Change,
    pub author: String,
    pub note: Option<String>,
    pub example: String,
    pub revision: i64,
    pub messages: Option<String>,
    pub tools: Option<String>,
    pub documents: Option<String>,
    pub parameters: Option<String>,
    pub output: Option<String>,
    pub expected: Option<String>,
    pub reason: Option<String>,
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
    pub content_hash: Option<String>,
    pub split: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub metadata: Option<String>,
}

/// Who makes a change, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Signed {
    pub author: String,
    pub note: Option<String>,
}

impl Signed {
    /// As somebody says it: spaces around a name tell nobody apart, and a blank reason is none.
    ///
    /// # Errors
    /// When nobody is named.
    pub fn new(author: &str, note: Option<&str>) -> Result<Self, String> {
        let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let author = filled(author).ok_or("`author` says who does this")?;
        Ok(Self { author, note: note.and_then(filled) })
    }
}

impl Revision {
    /// The row of an example.
    #[must_use]
    pub fn of(dataset: &str, version: i64, change: Change, signed: &Signed, example: &Example) -> Self {
        let list = |value: Value| match &value {
            Value::Array(items) if items.is_empty() => None,
            Value::Object(members) if members.is_empty() => None,
            Value::Null => None,
            _ => Some(value.to_string()),
        };
        let source = example.source.clone().unwrap_or_default();
        Self {
            dataset: dataset.to_owned(),
            version,
            change,
            author: signed.author.clone(),
            note: signed.note.clone(),
            example: example.id.clone(),
            revision: i64::from(example.revision),
            messages: list(json!(example.messages)),
            tools: list(json!(example.tools)),
            documents: list(json!(example.documents)),
            parameters: list(json!(example.parameters)),
            output: list(json!(example.output)),
            expected: list(json!(example.expected)),
            reason: example.reason.clone(),
            trace_id: source.trace_id,
            span_id: source.span_id,
            content_hash: Some(source.content_hash.unwrap_or_else(|| example.content_hash())),
            split: example.split.clone(),
            tags: example.tags.clone(),
            metadata: list(json!(example.metadata)),
        }
    }

    /// The example of the row.
    ///
    /// # Errors
    /// When a column is not the JSON that it should be.
    pub fn example(&self) -> Result<Example, String> {
        fn read<T: serde::de::DeserializeOwned + Default>(name: &str, text: &Option<String>) -> Result<T, String> {
            let wrong = |error| format!("`{name}`: {error}");
            text.as_deref().map_or_else(|| Ok(T::default()), |text| serde_json::from_str(text).map_err(wrong))
        }
        let source = Source {
            trace_id: self.trace_id.clone(),
            span_id: self.span_id.clone(),
            content_hash: self.content_hash.clone(),
        };
        Ok(Example {
            id: self.example.clone(),
            revision: u32::try_from(self.revision).map_err(|_| format!("`revision`: {} is none", self.revision))?,
            messages: read("messages", &self.messages)?,
            tools: read("tools", &self.tools)?,
            documents: read("documents", &self.documents)?,
            parameters: read("parameters", &self.parameters)?,
            output: read("output", &self.output)?,
            expected: read("expected", &self.expected)?,
            reason: self.reason.clone(),
            source: Some(source),
            split: self.split.clone(),
            tags: self.tags.clone(),
            metadata: read("metadata", &self.metadata)?,
        })
    }
}

/// A dataset as it is at a version, archived examples and all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// The version; 0 where there is nothing yet.
    pub version: i64,
    /// What it is for, and the JSON schema of its examples.
    pub about: Map<String, Value>,
    examples: BTreeMap<String, (Example, bool)>,
}

/// Something to do to a dataset.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Put an example in: as a new one, or in place of what is there under its id.
    Put(Box<Example>),
    /// Take an example out.
    Archive(String),
    /// Put an example back that was taken out, as it was.
    Restore(String),
    /// Say what the dataset is for.
    Describe(Map<String, Value>),
}

impl Edit {
    /// The example that it is about, if it is about one.
    fn example(&self) -> Option<&str> {
        match self {
            Self::Put(example) => Some(&example.id),
            Self::Archive(id) | Self::Restore(id) => Some(id),
            Self::Describe(_) => None,
        }
    }
}

impl Dataset {
    /// Puts the rows of a dataset together; they may come in any order.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn read(name: &str, mut rows: Vec<Revision>) -> Result<Self, String> {
        rows.sort_by_key(|row| row.version);
        let mut dataset = Self { name: name.to_owned(), ..Self::default() };
        for row in rows {
            dataset.version = row.version;
            if row.change == Change::Describe {
                let about = row.metadata.as_deref().map_or(Ok(Map::new()), serde_json::from_str);
                dataset.about =
                    about.map_err(|error| format!("the description of version {}: {error}", row.version))?;
            } else {
                let example = row.example().map_err(|error| format!("example `{}`: {error}", row.example))?;
                dataset.examples.insert(row.example.clone(), (example, row.change == Change::Archive));
            }
        }
        Ok(dataset)
    }

    /// Its examples, by id.
    pub fn examples(&self) -> impl Iterator<Item = &Example> {
        self.examples.values().filter(|(_, archived)| !archived).map(|(example, _)| example)
    }

    /// Its examples and those that were archived, by id.
    pub fn everything(&self) -> impl Iterator<Item = &Example> {
        self.examples.values().map(|(example, _)| example)
    }

    /// The example of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Example> {
        self.examples.get(id).filter(|(_, archived)| !archived).map(|(example, _)| example)
    }

    /// The example of that id as it is, or was before it was archived.
    #[must_use]
    pub fn last(&self, id: &str) -> Option<&Example> {
        self.examples.get(id).map(|(example, _)| example)
    }

    /// The rows of the next version, in which `edits` are done. Those that change nothing are left out.
    ///
    /// # Errors
    /// When an example is to be archived that is not there, or restored that was not archived, or does not fit the
    /// dataset's schema, or is edited twice.
    pub fn next(&self, edits: &[Edit], signed: &Signed) -> Result<Vec<Revision>, String> {
        let version = self.version + 1;
        let schema = self.schema()?;
        let mut rows = Vec::new();
        let mut edited = HashSet::new();
        for edit in edits {
            if let Some(id) = edit.example().filter(|id| !edited.insert(*id)) {
                return Err(format!("example `{id}` is named twice"));
            }
            match edit {
                Edit::Put(example) => {
                    schema.check(example).map_err(|reason| format!("example `{}`: {reason}", example.id))?;
                    let (change, revision) = match self.examples.get(&example.id) {
                        Some((before, false)) if same(before, example) => continue,
                        Some((before, false)) => (Change::Patch, before.revision + 1),
                        Some((before, true)) => (Change::Restore, before.revision + 1),
                        None => (Change::Create, 1),
                    };
                    let example = Example { revision, ..Example::clone(example) };
                    rows.push(Revision::of(&self.name, version, change, signed, &example));
                }
                Edit::Archive(id) => {
                    let before = self.get(id).ok_or_else(|| format!("`{}` has no example `{id}`", self.name))?;
                    let example = Example { revision: before.revision + 1, ..before.clone() };
                    rows.push(Revision::of(&self.name, version, Change::Archive, signed, &example));
                }
                Edit::Restore(id) => {
                    let archived = self.examples.get(id).filter(|(_, archived)| *archived);
                    let (before, _) =
                        archived.ok_or_else(|| format!("`{}` has no archived example `{id}`", self.name))?;
                    let example = Example { revision: before.revision + 1, ..before.clone() };
                    rows.push(Revision::of(&self.name, version, Change::Restore, signed, &example));
                }
                Edit::Describe(about) if *about == self.about => {}
                Edit::Describe(about) => {
                    if let Some(schema) = about.get("schema") {
                        jsonschema::validator_for(schema)
                            .map_err(|error| format!("the schema cannot be used: {error}"))?;
                    }
                    let nothing = Example { metadata: about.clone(), revision: 0, ..Example::default() };
                    let mut row = Revision::of(&self.name, version, Change::Describe, signed, &nothing);
                    row.content_hash = None;
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }
}

/// Whether two examples are the same but for their revision.
fn same(one: &Example, other: &Example) -> bool {
    let plain = |example: &Example| {
        let mut source = example.source.clone().unwrap_or_default();
        source.content_hash.get_or_insert_with(|| example.content_hash());
        Example { revision: 0, source: Some(source), ..example.clone() }
    };
    plain(one) == plain(other)
}
