//! `tracewell dataset patch`: some members of examples, changed by hand.

use clap::Args;
use tracewell_ledger::LedgerError;
use tracewell_regression::dataset::{Dataset, Edit};
use tracewell_regression::{Answer, Example};

use super::super::answer::expected;
use super::Members;

#[derive(Debug, Args)]
pub(super) struct Patch {
    #[command(flatten)]
    members: Members,
    #[command(flatten)]
    change: Change,
}

/// What becomes of each of the examples.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Their split; empty for none
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Add a tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Take a tag away; may be given several times
    #[arg(long = "untag", value_name = "TAG")]
    untags: Vec<String>,
    /// What the output should have been; empty for nothing
    #[arg(long, value_name = "TEXT")]
    expected: Option<String>,
    /// The tool calls it should have been, such as '[{"name": "find", "arguments": {"id": 7}}]'
    #[arg(long, value_name = "JSON")]
    expected_calls: Option<String>,
    /// Why they are in the dataset; empty for nothing
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Patch {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let asked = &self.change;
        let tells_expected = asked.expected.is_some() || asked.expected_calls.is_some();
        let text = asked.expected.clone().filter(|text| !text.is_empty());
        let wanted = expected(text, asked.expected_calls.as_deref()).map_err(anyhow::Error::msg)?;
        let wanted = tells_expected.then_some(wanted);
        let edit = |dataset: &Dataset, id: &str| -> Result<Edit, LedgerError> {
            let missing = || LedgerError::NotFound(format!("`{}` has no example `{id}`", dataset.name));
            let example = asked.of(dataset.get(id).ok_or_else(missing)?, wanted.as_ref());
            Ok(Edit::Put(Box::new(example)))
        };
        self.members.change("changed", edit).await
    }
}

impl Change {
    /// The example with what is changed; `expected` is what it expects from now on, or nothing.
    fn of(&self, example: &Example, expected: Option<&Option<Answer>>) -> Example {
        let mut example = example.clone();
        let filled = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        if let Some(split) = &self.split {
            example.split = filled(split);
        }
        if let Some(reason) = &self.reason {
            example.reason = filled(reason);
        }
        if let Some(expected) = expected {
            example.expected.clone_from(expected);
        }
        example.tags.retain(|tag| !self.untags.contains(tag));
        let new: Vec<String> = self.tags.iter().filter(|tag| !example.tags.contains(tag)).cloned().collect();
        example.tags.extend(new);
        example
    }
}
