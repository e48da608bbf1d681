//! `tracewell review`: people look at outputs, one after the other.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Deserialize;
use tracewell_blocks::tidy;
use tracewell_ledger::reviews::{self, Filled, Filling, Judgement, examples, existing};
use tracewell_regression::dataset::Pin;
use tracewell_regression::review::{About, Outcome, Question, QuestionKind};

use super::answer::expected;
use super::author::Author;
use super::masking::Masking;
use super::source::Asked;
use crate::output::{self, Shown};

mod judge;
mod next;
mod sheet;
mod terminal;

pub(crate) use judge::said;
use judge::{judge, outcome};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Review {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    every: Every,
}

/// One item after the other, of every queue.
#[derive(Debug, Args)]
struct Every {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look at one item of a queue after the other: a accepts, c corrects, d declines, s skips, q ends.
    #[command(
        after_help = "An item is kept open for you for a quarter of an hour. A correction becomes what the example expects, and a score of the span it is of.\n\nExample:\n  tracewell review next refunds"
    )]
    Next(Next),
    /// Put examples into a queue, and say what is asked of each.
    #[command(
        after_help = "Questions are a TOML file:\n\n  [[question]]\n  name = \"tone\"\n  kind = \"choice\"          # text, yes_no, number, choice\n  choices = [\"kind\", \"rude\"]\n  required = true\n\nExamples:\n  tracewell review add refunds --dataset refunds --tag hard\n  tracewell review add refunds --dataset refunds --questions questions.toml --reviewers 2 --blind"
    )]
    Add(Add),
    /// All queues, or the items of one.
    #[command(after_help = "Examples:\n  tracewell review list\n  tracewell review list refunds --format csv")]
    List(List),
    /// Give an item to a reviewer.
    #[command(after_help = "Example:\n  tracewell review assign refunds ex-1f0c22a09b7e6d11 --to bob")]
    Assign(Assign),
    /// Judge one item without looking at it here.
    #[command(
        after_help = "Examples:\n  tracewell review answer refunds ex-1f0c22a09b7e6d11 accept --answer tone=kind\n  tracewell review answer refunds ex-1f0c22a09b7e6d11 correct --expected \"Ten days.\""
    )]
    Answer(Answered),
    /// Write a queue as CSV, to be filled in and imported again. Personal data and secrets are masked first.
    #[command(after_help = "Example:\n  tracewell review export refunds > sheet.csv")]
    Export(Export),
    /// Read a filled-in CSV: rows with an `outcome` are judged. Safe to repeat.
    #[command(
        after_help = "An outcome is accept, correct or decline; `expected` is what it should have been.\n\nExample:\n  tracewell review import refunds sheet.csv --author bob"
    )]
    Import(Import),
}

#[derive(Debug, Args)]
struct Next {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: String,
}

#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The queue; it begins to be with this
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// The dataset
    #[arg(long, value_name = "DATASET")]
    dataset: Pin,
    /// Only examples with this tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Also examples whose expected output is known
    #[arg(long)]
    all: bool,
    /// What is asked of every item
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,
    /// How many reviewers have to judge an item
    #[arg(long, value_name = "N")]
    reviewers: Option<usize>,
    /// Nobody sees what others said before they answer themselves
    #[arg(long)]
    blind: bool,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asked: Asked,
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Assign {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// The item, or its example
    #[arg(value_name = "ITEM")]
    item: String,
    /// To whom
    #[arg(long, value_name = "NAME")]
    to: String,
}

#[derive(Debug, Args)]
struct Answered {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// The item, or its example
    #[arg(value_name = "ITEM")]
    item: String,
    /// accept, correct or decline
    #[arg(value_name = "OUTCOME", value_parser = outcome)]
    outcome: Outcome,
    /// What the output should have been
    #[arg(long, value_name = "TEXT")]
    expected: Option<String>,
    /// The tool calls it should have been, such as '[{"name": "find", "arguments": {"id": 7}}]'
    #[arg(long, value_name = "JSON")]
    expected_calls: Option<String>,
    /// Answer to a question; may be given several times
    #[arg(long = "answer", value_name = "NAME=VALUE", value_parser = super::query::parameter)]
    answers: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct Export {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    #[command(flatten)]
    masking: Masking,
}

#[derive(Debug, Args)]
struct Import {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The queue
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take placeholders of what was masked as they are
    #[arg(long)]
    masked: bool,
}

impl Review {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let Some(what) = self.what else { return self.every.run().await };
        match what {
            What::Next(next) => next.run().await,
            What::Add(add) => add.run().await,
            What::List(list) => list.run().await,
            What::Assign(assign) => {
                let author = assign.author.name()?;
                let ledger = assign.asked.ledger().await?;
                Ok(ledger.hand(&assign.queue, &assign.item, &author, Some(&assign.to)).await?)
            }
            What::Answer(answered) => answered.run().await,
            What::Export(export) => {
                let source = export.asked.open().await?;
                let queue = existing(&source, &export.queue).await?;
                sheet::write(&source, &queue, &export.author.name()?, &export.masking).await
            }
            What::Import(import) => import.run().await,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Questions {
    question: Vec<Question>,
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let questions = self.questions.as_ref().map(|path| -> anyhow::Result<Vec<Question>> {
            let what = || format!("the questions in `{}`", path.display());
            let text = std::fs::read_to_string(path).with_context(what)?;
            Ok(toml::from_str::<Questions>(&text).with_context(what)?.question)
        });
        let about =
            About { questions: questions.transpose()?, reviewers: self.reviewers, blind: self.blind.then_some(true) };
        let author = self.author.name()?;
        let ledger = self.asked.ledger().await?;
        let filling = Filling { dataset: self.dataset, tags: self.tags, all: self.all, about };
        let Filled { added, examples } = ledger.fill_queue(&self.queue, &author, &filling).await?;
        eprintln!("{added} of {examples} examples are new in `{}`", self.queue);
        Ok(())
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let Some(name) = &self.queue else {
            let rows = source.sql(reviews::LIST).await?;
            let why = "there is no queue yet; `tracewell review add QUEUE --dataset NAME` makes one";
            return output::print_or_say(self.shown.format(), &rows, why);
        };
        let queue = existing(&source, name).await?;
        let examples = examples(&source, &queue).await?;
        let names = ["item", "state", "answers", "assigned", "open_by", "trace_id"];
        let table = output::table(&names, queue.items.values(), |item| {
            let open = item.open.as_ref().map(|(who, _)| who.clone());
            [
                Some(item.id.clone()),
                Some(queue.state(item, examples.contains_key(&item.id)).to_owned()),
                Some(item.said.len().to_string()),
                item.assigned.clone(),
                open,
                item.trace_id.clone(),
            ]
        })?;
        output::print(self.shown.format(), &table)?;
        if queue.reviewers > 1 {
            let shown =
                |agreement: Option<f64>| agreement.map_or("cannot be told yet".to_owned(), |of| format!("{of:.2}"));
            eprintln!("agreement beyond chance on the outcome: {}", shown(queue.agreement()));
            for question in queue.questions.iter().filter(|question| question.kind != QuestionKind::Text) {
                eprintln!("agreement beyond chance on `{}`: {}", question.name, shown(queue.agreement_on(question)));
            }
        }
        Ok(())
    }
}

impl Answered {
    async fn run(self) -> anyhow::Result<()> {
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        let queue = existing(&ledger.source, &self.queue).await?;
        let given = self.answers.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let answers = queue.read_answers(given).map_err(anyhow::Error::msg)?;
        let expected = expected(self.expected, self.expected_calls.as_deref()).map_err(anyhow::Error::msg)?;
        let judgement = Judgement { outcome: self.outcome, answers, expected, note: signed.note.clone() };
        judge(&self.asked, &ledger, &self.queue, &self.item, &signed, &judgement).await
    }
}

impl Every {
    async fn run(self) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Named {
            queue: String,
        }
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        for Named { queue } in tracewell_runs::rows(&ledger.source, reviews::LIST).await? {
            if !next::run(&self.asked, &ledger, &queue, &signed).await? {
                break;
            }
        }
        Ok(())
    }
}

impl Next {
    async fn run(self) -> anyhow::Result<()> {
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        existing(&ledger.source, &self.queue).await?;
        next::run(&self.asked, &ledger, &self.queue, &signed).await?;
        Ok(())
    }
}

impl Import {
    async fn run(self) -> anyhow::Result<()> {
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        let queue = existing(&ledger.source, &self.queue).await?;
        let examples = examples(&ledger.source, &queue).await?;
        let mut items = HashSet::new();
        let mut checked = |row: sheet::Row| -> anyhow::Result<sheet::Row> {
            if let Some(item) = queue.find(&row.item) {
                if let Some(example) = examples.get(&item.id).filter(|_| !self.masked) {
                    sheet::unmasked(&row.judgement, example)?;
                }
                anyhow::ensure!(items.insert(&item.id), "`{}` is judged in a row above", row.item);
            }
            Ok(row)
        };
        let is_said = |row: &sheet::Row| {
            let said = queue.find(&row.item).and_then(|item| item.said.get(&signed.author));
            said.is_some_and(|said| row.judgement.is(said))
        };
        let (mut rows, mut before, mut wrong) = (Vec::new(), 0, Vec::new());
        for (line, row) in sheet::read(&self.file, &queue)? {
            match row.and_then(&mut checked) {
                Ok(row) if is_said(&row) => before += 1,
                Ok(row) => rows.push((line, row)),
                Err(error) => wrong.push((line, error)),
            }
        }
        let judgements: Vec<_> = rows.iter().map(|(_, row)| (row.item.as_str(), &row.judgement)).collect();
        let keep = |remarks| judge::keep(self.asked.place(), remarks);
        let (_, all) = ledger.review_all(&self.queue, &signed, &judgements, keep).await?;
        let mut judged = 0;
        for ((line, _), done) in rows.iter().zip(all) {
            match done {
                Ok(_) => judged += 1,
                Err(error) => wrong.push((*line, error.into())),
            }
        }
        wrong.sort_by_key(|(line, _)| *line);
        for (line, error) in &wrong {
            eprintln!("tracewell: `{}`, line {line}: {}", self.file.display(), tidy(&format!("{error:#}")));
        }
        let told = super::score::wrong_rows(wrong.len());
        let as_before = if before == 0 { String::new() } else { format!("{before} as before, ") };
        anyhow::ensure!(wrong.is_empty() || judged + before > 0, "{told}, and nothing was judged");
        eprintln!("{judged} judged, {as_before}{told}");
        anyhow::ensure!(wrong.is_empty(), "{told}; the others are judged");
        Ok(())
    }
}
