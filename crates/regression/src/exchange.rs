//! Examples from and to other tools.
//!
//! | format | to | from | what it is read with |
//! | --- | --- | --- | --- |
//! | JSONL | yes | yes | ours; also the lines of the other JSONL formats |
//! | CSV | yes | yes | spreadsheets, and back |
//! | promptfoo | YAML, JSON | yes | `tests: file://…` with the prompt `{{messages}}` |
//! | OpenAI evals | yes | as JSONL | `oaieval` |
//! | OpenAI fine-tuning | yes | as JSONL | the fine-tuning API |
//! | Inspect AI | yes | as JSONL | `json_dataset` |
//! | Langfuse | yes | as JSONL | the bodies of `POST /api/public/dataset-items` |
//!
//! What a format has no place for travels in its metadata, under `tracewell`, and is found again on the way back; a
//! line for fine-tuning may have none, so that not even the id of its example stands in it. What cannot be read is
//! listed with its line and the reason, and what cannot be written with its id. A line may name only what it changes of
//! an example: see [`Imported::onto`].

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Example;
use crate::dataset::Dataset;
use crate::privacy::placeholders;

mod entry;
mod jsonl;
mod promptfoo;
mod read;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub use entry::Entry;
use entry::Given;

/// A format that examples are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Format {
    Jsonl,
    Csv,
    PromptfooYaml,
    PromptfooJson,
    OpenaiEvals,
    OpenaiFineTuning,
    Inspect,
    Langfuse,
}

/// A format that examples are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Lines of JSON, of whichever tool.
    Jsonl,
    /// With a header line.
    Csv,
    /// YAML or JSON.
    Promptfoo,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    /// The file.
    pub text: String,
    /// The ids of examples that the format cannot hold, and why.
    pub skipped: Vec<(String, String)>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Imported {
    pub entries: Vec<Entry>,
    pub wrong: Vec<Wrong>,
}

impl Imported {
    /// The examples that a dataset takes, and the lines that it does not. What a line does not name of an example that is
    /// there stays as it is. `masked` says that placeholders of what was masked may replace what they stand for.
    ///
    /// # Errors
    /// When the dataset's schema cannot be used.
    pub fn onto(&self, dataset: &Dataset, masked: bool) -> Result<(Vec<Example>, Vec<Wrong>), String> {
        let schema = dataset.schema()?;
        let (mut taken, mut wrong) = (Vec::new(), Vec::new());
        for entry in &self.entries {
            let known = dataset.last(&entry.example.id);
            let whole = entry.onto(known).and_then(|example| {
                schema.check(&example)?;
                known.filter(|_| !masked).map_or(Ok(()), |known| unmasked(&example, known))?;
                Ok(example)
            });
            match whole {
                Ok(example) => taken.push(example),
                Err(reason) => {
                    wrong.push(Wrong { line: entry.line, reason: format!("`{}`: {reason}", entry.example.id) });
                }
            }
        }
        Ok((taken, wrong))
    }
}

/// Whether an example holds no placeholder that would replace something of what is known.
fn unmasked(example: &Example, known: &Example) -> Result<(), String> {
    let (written, before) = (json!(example).to_string(), json!(known).to_string());
    match placeholders(&written).find(|placeholder| !before.contains(placeholder)) {
        Some(placeholder) => Err(format!(
            "it holds `{placeholder}`, which stands for what was masked and would replace it; leave that member out, export \
             with --unmasked, or import with --masked to keep it so"
        )),
        None => Ok(()),
    }
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Wrong {
    /// Counted from 1; where it begins.
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Lines that could not be taken, where all had to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing was taken: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ImportError(pub Vec<Wrong>);

/// Writes examples. `dataset` is the name that some formats carry.
#[must_use]
pub fn export(format: Format, dataset: &str, examples: &[Example]) -> Exported {
    match format {
        Format::Jsonl => write::lines(examples, write::own),
        Format::Csv => table::export(examples),
        Format::PromptfooYaml | Format::PromptfooJson => promptfoo::export(format, examples),
        Format::OpenaiEvals => write::lines(examples, write::openai_evals),
        Format::OpenaiFineTuning => write::lines(examples, write::openai_fine_tuning),
        Format::Inspect => write::lines(examples, write::inspect),
        Format::Langfuse => write::lines(examples, |example| write::langfuse(example, dataset)),
    }
}

/// Reads examples: what can be read, and what cannot. An example without an id gets one by its content.
///
/// # Errors
/// Where `strict` and anything cannot be read.
pub fn import(source: Source, bytes: &[u8], strict: bool) -> Result<Imported, ImportError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let read = match source {
        Source::Jsonl => jsonl::import(bytes),
        Source::Csv => table::import(bytes),
        Source::Promptfoo => promptfoo::import(bytes),
    };
    let mut imported = Imported::default();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for (line, given) in read {
        let unique = given.and_then(|given| {
            let id = &given.example.id;
            match lines.get(id) {
                Some(before) => Err(format!("`{id}` is on line {before} already")),
                None => {
                    lines.insert(id.clone(), line);
                    Ok(given)
                }
            }
        });
        match unique {
            Ok(given) => imported.entries.push(given.at(line)),
            Err(reason) => imported.wrong.push(Wrong { line, reason }),
        }
    }
    if strict && !imported.wrong.is_empty() { Err(ImportError(imported.wrong)) } else { Ok(imported) }
}

/// What was made of each entry, and the line it begins on.
type Read = Vec<(usize, Result<Given, String>)>;
