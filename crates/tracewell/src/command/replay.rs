//! `tracewell replay`: a candidate, tried on every example of a dataset.
//!
//! What comes back is traffic: each answer is a span with the attributes of a trial, written to a journal first (see
//! [`journal`]) and then given to the tables. What has an answer is not asked for again.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use tracewell_ledger::trials::Who;
use tracewell_ledger::{datasets, prompts, releases};
use tracewell_pricing::Amount;
use tracewell_regression::candidate::Candidate;
use tracewell_regression::dataset::Pin;
use tracewell_regression::{Example, fingerprint};

use super::judge::Bench;
use super::paid::{Paid, Tally, Till, Work};
use super::source::{Asked, Source};
use crate::config::Config;
use crate::prices;

mod journal;
mod span;

use journal::Journal;
use span::Marks;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    asked: Asked,
    /// The dataset: NAME, NAME@v3, NAME@2026-11-20
    #[arg(long, value_name = "DATASET")]
    dataset: Pin,
    /// What is tried: a file with prompt, model, parameters and endpoint; or prompt:NAME@REVISION, as it is on record; or
    /// live:NAME, the revision that is live
    #[arg(long, value_name = "FILE|prompt:NAME|live:NAME")]
    candidate: String,
    /// The environment where live:NAME is live
    #[arg(long = "in", value_name = "ENVIRONMENT", default_value = "production")]
    environment: String,
    /// How often each example is tried
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// Only examples of this split
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Ask this judge about what was answered: a model with a rubric, whose scores a gate can read; may be given several
    /// times
    #[arg(long = "judge", value_name = "FILE")]
    judges: Vec<PathBuf>,
    #[command(flatten)]
    paid: Paid,
    /// Ask for everything again, as another replay; one with a name can be gone on with
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    again: Option<String>,
    /// Show the requests, and send none
    #[arg(long)]
    dry_run: bool,
}

/// An example, and which time it is tried.
#[derive(Clone, Copy)]
struct Try<'a> {
    example: &'a Example,
    repetition: u32,
}

impl Replay {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.asked.config()?;
        let source = self.asked.open().await?;
        let (candidate, text) = self.candidate(&source).await?;
        let dataset = datasets::existing(&source, &self.dataset).await?;
        let pinned = format!("{}@v{}", dataset.name, dataset.version);
        let id = self.id(&pinned, &text)?;
        let prices = prices::read(&config)?;
        let till = self.paid.till(&prices)?;
        let is_wanted = |example: &&Example| self.split.is_none() || example.split == self.split;
        let examples: Vec<&Example> = dataset.examples().filter(is_wanted).collect();
        ensure!(!examples.is_empty(), "no example of `{pinned}` is meant, so nothing is tried");
        // What is wrong with a template is told before anything is paid for.
        let work = self.work(&candidate, &id, &examples, &till)?;
        let judges =
            self.judges.iter().map(|file| Bench::read(file, &self.paid)).collect::<anyhow::Result<Vec<_>>>()?;
        judges.iter().try_for_each(|judge| judge.check(&examples))?;
        if self.dry_run {
            let bodies: Vec<_> = work.iter().map(|one| candidate.endpoint.kind.body(&one.request)).collect();
            super::say!("{}", serde_json::to_string_pretty(&bodies)?);
            return till.tell_masked();
        }
        self.asked.check_server().await?;
        let marks = Marks {
            dataset: pinned.clone(),
            candidate: candidate.name.clone().unwrap_or_else(|| format!("file:{}", self.candidate)),
            candidate_hash: candidate.fingerprint(),
            replay: id.clone(),
        };
        let tally = self.try_all(&config, &source, &candidate, work, &marks, &till).await?;
        let mut is_complete = tally.is_complete();
        // What was stopped is not gone on with by judges.
        if tally.left == 0 {
            let who = Who::Replay(id);
            for judge in &judges {
                is_complete &= judge.judge(&self.asked, &dataset, &who, &till).await?;
            }
        }
        eprintln!("{}", till.spent());
        till.tell_masked()?;
        if !is_complete {
            let goes_on = match self.again.as_deref() {
                Some("") => "--again begins another each time, and --again=NAME goes on with that of this name",
                _ => "the same command goes on with it",
            };
            bail!("the replay is not complete; {goes_on}");
        }
        Ok(())
    }

    /// The candidate, and what tells it from others.
    async fn candidate(&self, source: &Source) -> anyhow::Result<(Candidate, String)> {
        let given = &self.candidate;
        let recorded = match (given.strip_prefix("prompt:"), given.strip_prefix("live:")) {
            (Some(name), _) => Some(prompts::get(source, name).await?),
            (_, Some(name)) => Some(releases::live(source, name, &self.environment).await?),
            _ => None,
        };
        if let Some(prompt) = recorded {
            let candidate = Candidate::of_prompt(&prompt)?;
            let text = serde_json::to_string(&candidate)?;
            return Ok((candidate, text));
        }
        let text = std::fs::read_to_string(given).with_context(|| format!("cannot read `{given}`"))?;
        Ok((Candidate::parse(&text).with_context(|| format!("`{given}` is no candidate"))?, text))
    }

    /// Tries what was not tried before.
    async fn try_all(
        &self,
        config: &Config,
        source: &Source,
        candidate: &Candidate,
        work: Vec<Work<Try<'_>>>,
        marks: &Marks,
        till: &Till<'_>,
    ) -> anyhow::Result<Tally> {
        let caller = self.paid.caller(&candidate.endpoint)?;
        let location = config.location()?;
        let server = super::source::otlp_server(config, &location).await?;
        let mut journal = Journal::open(config, &location, &marks.replay, server)?;
        let in_tables = in_tables(source, self.dataset.dataset.as_str(), &marks.replay).await?;
        journal.send_again(&in_tables, &location).await?;
        if !in_tables.is_empty() || !journal.known().is_empty() {
            // What the journal alone knew is in the tables now.
            till.paid_before(&costs(&self.asked.open().await?, &self.dataset.dataset, &marks.replay).await?);
        }
        let known: HashSet<Known> = in_tables.union(journal.known()).cloned().collect();
        let total = work.len();
        let work: Vec<_> = work.into_iter().filter(|one| !known.contains(&key(one.about))).collect();
        let there = total - work.len();
        let kind = candidate.endpoint.kind;
        let tally = till
            .call_all(&caller, work, async |work, began, outcome, _| {
                let outcome = outcome.map(|outcome| till.restored(outcome));
                let span = span::span(kind, marks, work.about, &work.request, began, &outcome);
                journal.add(&span, outcome.is_ok()).await?;
                Ok(outcome.map(drop))
            })
            .await?;
        journal.close(&location).await?;
        eprintln!(
            "replay {}: {} answered, {there} were there, {} failed, {} not tried; candidate `{}` on `{}`",
            marks.replay, tally.answered, tally.failed, tally.left, marks.candidate, marks.dataset
        );
        tally.tell();
        Ok(tally)
    }

    /// The same dataset and candidate are the same replay, so that it can be gone on with; unless what is sent is masked by
    /// another policy.
    fn id(&self, pinned: &str, candidate: &str) -> anyhow::Result<String> {
        let again = self.again.as_deref().map(|name| match name {
            "" => json!([crate::clock::now(), std::process::id()]),
            name => json!(name),
        });
        let given = match self.paid.policy()? {
            None => json!([pinned, candidate, again]),
            Some(policy) => json!([pinned, candidate, again, policy]),
        };
        Ok(fingerprint(given.to_string().as_bytes())[..16].to_owned())
    }

    fn work<'a>(
        &self,
        candidate: &Candidate,
        id: &str,
        examples: &[&'a Example],
        till: &Till<'_>,
    ) -> anyhow::Result<Vec<Work<Try<'a>>>> {
        let kind = candidate.endpoint.kind;
        let mut work = Vec::new();
        let mut left_out = BTreeSet::new();
        for example in examples {
            let what = || format!("candidate `{}`, example `{}`", self.candidate, example.id);
            let request = candidate.request(example).with_context(what)?;
            let request = till.sent(request, &example.id).with_context(what)?;
            kind.check(&request).map_err(anyhow::Error::msg).with_context(what)?;
            left_out.extend(request.parameters.keys().filter(|name| !kind.takes(name)).cloned());
            work.extend((1..=self.repetitions).map(|repetition| Work {
                about: Try { example, repetition },
                request: request.clone(),
                // An id may be what no header can hold, and is nobody else's business.
                idempotency: fingerprint(json!([id, example.id, repetition]).to_string().as_bytes())[..32].to_owned(),
            }));
        }
        for name in left_out {
            eprintln!("tracewell: `{name}` is left out: {} takes no such parameter", kind.provider());
        }
        // Stopped early, every example has been tried before one is tried twice.
        work.sort_by_key(|one| one.about.repetition);
        Ok(work)
    }
}

/// An example at a revision, and which time.
type Known = (String, u32, u32);

fn key(tried: Try<'_>) -> Known {
    (tried.example.id.clone(), tried.example.revision, tried.repetition)
}

/// What the trials of a replay that have an answer cost; `None` for those without a price.
async fn costs(source: &Source, dataset: &str, replay: &str) -> anyhow::Result<Vec<Option<Amount>>> {
    #[derive(Deserialize)]
    struct Row {
        cost: Option<String>,
    }
    let query = format!(
        "SELECT CAST(c.cost_usd AS text) AS cost FROM trials AS t
        LEFT JOIN span_costs AS c ON c.trace_id = t.trace_id AND c.span_id = t.span_id
        WHERE t.date >= (SELECT min(date) FROM examples WHERE dataset = '{dataset}') AND t.replay = '{replay}'
            AND t.status IS DISTINCT FROM 'error'"
    );
    let rows: Vec<Row> = tracewell_runs::rows(source, &query).await?;
    Ok(rows.into_iter().map(|row| row.cost?.parse().ok()).collect())
}

/// The trials of a replay that have an answer. None is older than its dataset, whose name is plain.
async fn in_tables(source: &Source, dataset: &str, replay: &str) -> anyhow::Result<HashSet<Known>> {
    #[derive(Deserialize)]
    struct Row {
        example: String,
        revision: Option<u32>,
        repetition: u32,
    }
    let query = format!(
        "SELECT example, revision, repetition FROM trials
        WHERE date >= (SELECT min(date) FROM examples WHERE dataset = '{dataset}') AND replay = '{replay}'
            AND status IS DISTINCT FROM 'error'"
    );
    let rows: Vec<Row> = tracewell_runs::rows(source, &query).await?;
    Ok(rows.into_iter().map(|row| (row.example, row.revision.unwrap_or_default(), row.repetition)).collect())
}
