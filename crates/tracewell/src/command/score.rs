//! `tracewell score`: what people and scripts say of spans, runs, sessions and documents.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use tracewell_ingest::Importer;
use tracewell_ingest::scores::{self, Score as Given};
use tracewell_lake::Lake;
use tracewell_model::schema::TABLES;

use super::Place;
use super::author::Who;
use super::source::{otlp_server, send};
use super::when;
use crate::evaluate::REQUEST_SCORES;

mod read;

/// Scores of a request have about so many bytes at most: half of what a server takes.
const REQUEST_BYTES: usize = 8 << 20;

const SOURCES: [&str; 4] = ["human", "model", "code", "user"];

#[derive(Debug, Args)]
pub(crate) struct Score {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give a score. The same name and author on the same thing again supersedes what was said before.
    #[command(
        after_help = "Examples:\n  tracewell score add correctness 0.5 --trace 5f0c…d1 --span 9a…01 --explanation \"half of it\"\n  tracewell score add helpful true --session chat-77 --author ada\n  tracewell score add tone friendly --trace 5f0c…d1\n  tracewell score add answer --correction \"The refund takes 5 days.\" --trace 5f0c…d1 --span 9a…01"
    )]
    Add(Box<Add>),
    /// Read scores from CSV or JSON lines, with the columns of the table `scores`: name, value, label, text, correction,
    /// trace_id, span_id, session_id, document_id, explanation, source, author, time, metadata.
    #[command(
        after_help = "A `metadata.KEY` column of a CSV file is a member of the metadata. Safe to repeat where the rows have a time.\n\nExamples:\n  tracewell score import feedback.csv\n  tracewell score import --source model --author judge-v2 judged.jsonl --strict"
    )]
    Import(Import),
}

#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    place: Place,
    /// What is judged
    name: String,
    /// A number, true or false, or a word that is a category
    #[arg(required_unless_present_any = ["text", "correction"])]
    value: Option<String>,
    /// A word beside the number
    #[arg(long, requires = "value")]
    label: Option<String>,
    /// What there is to say in free text
    #[arg(long, conflicts_with_all = ["value", "correction"])]
    text: Option<String>,
    /// What the output should have been
    #[arg(long, conflicts_with = "value")]
    correction: Option<String>,
    /// The run, or the run of the span
    #[arg(long, value_name = "ID", required_unless_present_any = ["session", "document"])]
    trace: Option<String>,
    /// The span
    #[arg(long, value_name = "ID", requires = "trace")]
    span: Option<String>,
    /// The session
    #[arg(long, value_name = "ID", conflicts_with = "trace")]
    session: Option<String>,
    /// The retrieved document
    #[arg(long, value_name = "ID")]
    document: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    explanation: Option<String>,
    /// Who or what gave it; `user` is an end user of the application
    #[arg(long, default_value = "human", value_parser = SOURCES)]
    source: String,
    #[command(flatten)]
    who: Who,
    /// When it was given: 2026-11-20T14:00:00Z, 2026-11-20, or how long ago: 2h [default: now]
    #[arg(long, value_name = "TIME", value_parser = when::point)]
    time: Option<DateTime<Utc>>,
    /// Whatever else is known
    #[arg(long, value_name = "KEY=VALUE", value_parser = member)]
    metadata: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct Import {
    #[command(flatten)]
    place: Place,
    /// The files: .csv, or JSON lines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who or what gave the scores of rows that say nothing
    #[arg(long, value_parser = SOURCES)]
    source: Option<String>,
    /// Who gave the scores of rows that say nothing
    #[arg(long)]
    author: Option<String>,
    /// Import nothing when a row is wrong
    #[arg(long)]
    strict: bool,
}

fn member(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("give KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Score {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Add(add) => add.run().await,
            Command::Import(import) => import.run().await,
        }
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let (value, label) = self.value.map_or((None, None), read::judgement);
        ensure!(
            self.label.is_none() || value.is_some(),
            "--label is the word for a number; a category alone is given in its place"
        );
        let score = Given {
            name: self.name,
            value,
            label: self.label.or(label),
            text: self.text,
            correction: self.correction,
            trace_id: self.trace,
            span_id: self.span,
            session_id: self.session,
            document_id: self.document,
            explanation: self.explanation,
            source: Some(self.source),
            author: self.who.name(),
            time: self.time,
            metadata: self.metadata.into_iter().collect::<BTreeMap<_, _>>(),
        };
        // What is wrong with it is told by the name of the flag, not as a row of a request.
        check(&score).map_err(anyhow::Error::msg)?;
        keep(&self.place, &[score]).await
    }
}

impl Import {
    async fn run(self) -> anyhow::Result<()> {
        let (mut scores, mut wrong) = (Vec::new(), 0);
        for file in &self.files {
            let rows = read::file(file).with_context(|| format!("cannot read `{}`", file.display()))?;
            for (line, row) in rows {
                let row = row.map(|row| Given {
                    source: row.source.or_else(|| self.source.clone()),
                    author: row.author.or_else(|| self.author.clone()),
                    ..row
                });
                let checked = row.and_then(|row| check(&row).map(|()| row));
                match checked {
                    Ok(row) => scores.push(row),
                    Err(reason) => {
                        wrong += 1;
                        eprintln!("tracewell: `{}`, line {line}: {reason}", file.display());
                    }
                }
            }
        }
        let told = wrong_rows(wrong);
        ensure!(wrong == 0 || (!self.strict && !scores.is_empty()), "{told}, and nothing was imported");
        keep(&self.place, &scores).await?;
        let imported = match scores.len() {
            1 => "1 score imported".to_owned(),
            count => format!("{count} scores imported"),
        };
        eprintln!("{imported}, {told}");
        ensure!(wrong == 0, "{told}; the others are imported");
        Ok(())
    }
}

/// How many rows are wrong, in words.
pub(super) fn wrong_rows(count: usize) -> String {
    match count {
        0 => "no row is wrong".to_owned(),
        1 => "1 row is wrong".to_owned(),
        count => format!("{count} rows are wrong"),
    }
}

/// Whether a score can be kept; else what is wrong with it.
pub(super) fn check(score: &Given) -> Result<(), String> {
    scores::check(score, now())
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    u64::try_from(crate::clock::now()).unwrap_or(0)
}

/// Gives scores to the server that writes to the data; without one, to the tables.
pub(super) async fn keep(place: &Place, scores: &[Given]) -> anyhow::Result<()> {
    let config = place.load(Vec::new())?.config;
    let location = config.location()?;
    if let Some(server) = otlp_server(&config, &location).await? {
        for part in parts(scores) {
            send(&server, "/v1/scores", serde_json::to_vec(part)?).await?;
        }
        return Ok(());
    }
    if location.folder().is_some_and(|folder| !folder.is_dir()) {
        bail!("`{}` is not there; start `tracewell serve --data {0}`, or name other data with --data", config.data);
    }
    let lake = Lake::open(location, TABLES, true).await?;
    for part in parts(scores) {
        let mut file = tempfile::Builder::new().suffix(".logs.pb").tempfile()?;
        file.write_all(&scores::export(part, now())?)?;
        Importer::new(&lake, crate::clock::now).strict(true).file(file.path(), &mut |_| {}).await?;
    }
    Ok(())
}

/// As many scores at a time as go into a request.
fn parts(mut rest: &[Given]) -> impl Iterator<Item = &[Given]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |score: &&Given| {
            bytes += serde_json::to_string(score).map_or(0, |text| text.len());
            bytes <= REQUEST_BYTES
        };
        let count = rest.iter().take(REQUEST_SCORES).take_while(fits).count();
        // One alone is sent, whatever its size.
        let (part, others) = rest.split_at(count.max(1).min(rest.len()));
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_scores_go_in_several_requests() {
        let sizes = |scores: &[Given]| parts(scores).map(<[Given]>::len).collect::<Vec<_>>();
        let of = |bytes: usize| Given { text: Some("x".repeat(bytes)), ..Given::default() };
        assert_eq!(sizes(&vec![Given::default(); 2_001]), [1_000, 1_000, 1]);
        assert_eq!(sizes(&vec![of(3 << 20); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[of(1), of(9 << 20), of(1)]), [1, 1, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }
}
