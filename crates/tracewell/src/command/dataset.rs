//! `tracewell dataset`: what examples there are, and files of them.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tracewell_ledger::{LedgerError, datasets};
use tracewell_regression::Example;
use tracewell_regression::dataset::{At, Dataset as Kept, Edit, Pin, difference};

use super::author::Author;
use super::source::Asked;
use crate::output::{self, Shown};

mod export;
mod import;
mod parquet;
mod patch;
mod story;

pub(super) use story::{answered, said, story};

#[derive(Debug, Args)]
pub(crate) struct Dataset {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All datasets.
    #[command(after_help = "Example:\n  tracewell dataset list --format json")]
    List(List),
    /// The examples of a dataset, or all of one.
    #[command(
        after_help = "Examples:\n  tracewell dataset show refunds\n  tracewell dataset show refunds@v3 --tag hard\n  tracewell dataset show refunds@2026-11-20 --example ex-1f0c22a09b7e6d11"
    )]
    Show(Show),
    /// Who changed what, and why.
    #[command(after_help = "Example:\n  tracewell dataset log refunds")]
    Log(Log),
    /// What differs between two versions: a row for each member that changed, with what it was and what it is.
    #[command(after_help = "Example:\n  tracewell dataset diff refunds@v3 refunds")]
    Diff(Diff),
    /// Write examples for another tool. Personal data and secrets are masked first, but for ids of examples and spans.
    #[command(
        after_help = "Tests of promptfoo hold whole conversations; its configuration takes them by `prompts: [\"{{messages}}\"]` and `tests: file://tests.yaml`.\n\nExamples:\n  tracewell dataset export refunds@v3 --to promptfoo-yaml > tests.yaml\n  tracewell dataset export refunds --to parquet --output refunds-hf --report masked.json\n  tracewell dataset export refunds --to csv --split test --policy privacy.toml > refunds.csv"
    )]
    Export(export::Export),
    /// Read examples from a file: new ones are added, known ones get a revision. What a line does not name stays as it was.
    #[command(
        after_help = "Examples:\n  tracewell dataset import refunds examples.jsonl\n  tracewell dataset import refunds promptfooconfig.yaml --from promptfoo --strict\n  tracewell dataset import refunds refunds-hf"
    )]
    Import(import::Import),
    /// Change split, tags, expected output or reason of examples.
    #[command(
        after_help = "Examples:\n  tracewell dataset patch refunds ex-1f0c22a09b7e6d11 ex-7d02 --split test --tag hard\n  tracewell dataset patch refunds ex-1f0c22a09b7e6d11 --expected \"Ten days.\""
    )]
    Patch(patch::Patch),
    /// Take examples out. What they were stays in the versions before.
    #[command(
        after_help = "Example:\n  tracewell dataset archive refunds ex-1f0c22a09b7e6d11 --note \"the same as ex-7d02\""
    )]
    Archive(Members),
    /// Put examples back that were taken out, as they were.
    #[command(after_help = "Example:\n  tracewell dataset restore refunds ex-1f0c22a09b7e6d11")]
    Restore(Members),
    /// Say what a dataset is for, and what its examples have to look like.
    #[command(
        after_help = "Example:\n  tracewell dataset describe refunds --description \"Refunds gone wrong\" --schema schema.json"
    )]
    Describe(Describe),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    shown: Shown,
}

/// Which examples.
#[derive(Debug, Args)]
struct Choice {
    /// The dataset: NAME, NAME@v3, NAME@2026-11-20
    #[arg(value_name = "DATASET")]
    pin: Pin,
    /// Only of this split
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Only with this tag; may be given several times, and then any will do
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    choice: Choice,
    /// All of this example
    #[arg(long, value_name = "ID")]
    example: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Log {
    #[command(flatten)]
    asked: Asked,
    /// The dataset
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Diff {
    #[command(flatten)]
    asked: Asked,
    /// One version
    #[arg(value_name = "BEFORE")]
    before: Pin,
    /// The other
    #[arg(value_name = "AFTER")]
    after: Pin,
    #[command(flatten)]
    shown: Shown,
}

/// Some examples, for a change.
#[derive(Debug, Args)]
struct Members {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The dataset
    #[arg(value_name = "NAME")]
    name: String,
    /// Ids of examples
    #[arg(value_name = "ID", required = true)]
    examples: Vec<String>,
}

#[derive(Debug, Args)]
struct Describe {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The dataset
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A file with the JSON schema that each example has to fit
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

impl Dataset {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::List(list) => rows(&list.asked, datasets::LIST, list.shown).await,
            What::Show(show) => show.run().await,
            What::Log(log) => {
                let source = log.asked.open().await?;
                datasets::existing(&source, &Pin { dataset: log.name.clone(), at: At::Latest }).await?;
                rows(&log.asked, &datasets::log(&log.name), log.shown).await
            }
            What::Diff(diff) => diff.run().await,
            What::Export(export) => export.run().await,
            What::Import(import) => import.run().await,
            What::Patch(patch) => patch.run().await,
            What::Archive(taken) => taken.change("taken out", |_, id| Ok(Edit::Archive(id.to_owned()))).await,
            What::Restore(put) => put.change("put back", |_, id| Ok(Edit::Restore(id.to_owned()))).await,
            What::Describe(describe) => describe.run().await,
        }
    }
}

/// Prints the answer to a query.
async fn rows(asked: &Asked, query: &str, shown: Shown) -> anyhow::Result<()> {
    let rows = asked.open().await?.sql(query).await?;
    let why = "there is no dataset yet; `tracewell examples capture` and `tracewell dataset import` make one";
    output::print_or_say(shown.format(), &rows, why)
}

impl Choice {
    fn fits(&self, example: &Example) -> bool {
        self.split.as_ref().is_none_or(|split| example.split.as_ref() == Some(split))
            && (self.tags.is_empty() || example.tags.iter().any(|tag| self.tags.contains(tag)))
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let dataset = datasets::existing(&self.asked.open().await?, &self.choice.pin).await?;
        if let Some(id) = &self.example {
            let Some(example) = dataset.get(id) else { bail!("`{}` has no example `{id}`", self.choice.pin) };
            let form = self.shown.form();
            return output::page(form, id, &story(example), example);
        }
        let names = ["example", "revision", "split", "tags", "question", "output", "expected", "reason", "trace_id"];
        let text = |answer: &Option<tracewell_regression::Answer>| answer.as_ref().map(answered);
        let examples = dataset.examples().filter(|example| self.choice.fits(example));
        let table = output::table(&names, examples, |example| {
            [
                Some(example.id.clone()),
                Some(example.revision.to_string()),
                example.split.clone(),
                (!example.tags.is_empty()).then(|| example.tags.join(", ")),
                example.question(),
                text(&example.output),
                text(&example.expected),
                example.reason.clone(),
                example.source.as_ref().and_then(|source| source.trace_id.clone()),
            ]
        })?;
        output::print(self.shown.format(), &table)?;
        eprintln!("{}@v{}", dataset.name, dataset.version);
        Ok(())
    }
}

impl Diff {
    async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let before = datasets::existing(&source, &self.before).await?;
        let after = datasets::existing(&source, &self.after).await?;
        let names = ["example", "what", "member", "before", "after"];
        let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let table = output::table(&names, difference(&before, &after), |one| {
            let what = Some(one.what.to_owned());
            [Some(one.example), what, one.member, one.before.map(text), one.after.map(text)]
        })?;
        output::print(self.shown.format(), &table)
    }
}

impl Members {
    /// Does the same to each of them, in one version of the dataset.
    async fn change(&self, done: &str, edit: impl Fn(&Kept, &str) -> Result<Edit, LedgerError>) -> anyhow::Result<()> {
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        let edits = |dataset: &Kept| -> Result<Vec<Edit>, LedgerError> {
            self.examples.iter().map(|id| edit(dataset, id)).collect()
        };
        let changed = ledger.change(&self.name, &signed, edits).await?;
        eprintln!("{} {done}: `{}@v{}`", changed.rows.len(), self.name, changed.version);
        Ok(())
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        self.name.parse::<Pin>()?;
        let schema = self.schema.as_ref().map(|path| -> anyhow::Result<serde_json::Value> {
            let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            serde_json::from_slice(&text).with_context(|| format!("`{}` is no JSON", path.display()))
        });
        let schema = schema.transpose()?;
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        let changed = ledger
            .change(&self.name, &signed, |dataset| {
                let mut about = dataset.about.clone();
                about.extend(self.description.clone().map(|text| ("description".to_owned(), json!(text))));
                about.extend(schema.clone().map(|schema| ("schema".to_owned(), schema)));
                Ok(vec![Edit::Describe(about)])
            })
            .await?;
        eprintln!("`{}@v{}`", self.name, changed.version);
        Ok(())
    }
}
