//! `tracewell replay`: a candidate, tried on every example of a dataset.
//!
//! What comes back is traffic: each answer is a span with the attributes of a trial, written to a journal first (see
//! [`journal`]) and then given to the tables. What has an answer is not asked for again.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;
use tracewell_ledger::datasets;
use tracewell_pricing::Amount;
use tracewell_query::prices::Prices;
use tracewell_regression::candidate::{Candidate, Request, wire};
use tracewell_regression::dataset::Pin;
use tracewell_regression::{Example, fingerprint};

use super::source::{Asked, Source};
use crate::prices;

mod call;
mod journal;
mod span;

use call::{Caller, Failed};
use journal::Journal;
use span::{Marks, Outcome};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    asked: Asked,
    /// The dataset: NAME, NAME@v3, NAME@2026-11-20
    #[arg(long, value_name = "DATASET")]
    dataset: Pin,
    /// What is tried: prompt, model, parameters, endpoint
    #[arg(long, value_name = "FILE")]
    candidate: PathBuf,
    /// How often each example is tried
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repetitions: u32,
    /// Only examples of this split
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Calls at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// How often a call is tried again that the endpoint could not take
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// How long a call may take
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Begin no call that is likely to bring the cost of this command above this, in US dollars; a call is taken to cost
    /// what the dearest before it did
    #[arg(long, value_name = "USD")]
    max_cost: Option<Amount>,
    /// Ask for everything again, as another replay
    #[arg(long)]
    again: bool,
    /// Show the requests, and send none
    #[arg(long)]
    dry_run: bool,
}

/// A call to make.
struct Work<'a> {
    example: &'a Example,
    repetition: u32,
    request: Request,
}

/// What was spent, and what calls under way may spend.
struct Spending {
    most: Option<Amount>,
    spent: Amount,
    under_way: Amount,
    /// What the dearest call cost: what the next one may.
    dearest: Amount,
    unpriced: usize,
}

/// What a replay came to.
#[derive(Default)]
struct Tally {
    answered: usize,
    failed: usize,
    left: usize,
    reasons: Vec<String>,
}

impl Replay {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(&self.candidate)
            .with_context(|| format!("cannot read `{}`", self.candidate.display()))?;
        let candidate =
            Candidate::parse(&text).with_context(|| format!("`{}` is no candidate", self.candidate.display()))?;
        let config = self.asked.config()?;
        let source = self.asked.open().await?;
        let dataset = datasets::existing(&source, &self.dataset).await?;
        let pinned = format!("{}@v{}", dataset.name, dataset.version);
        let id = self.id(&pinned, &text);
        let is_wanted = |example: &&Example| self.split.is_none() || example.split == self.split;
        let examples: Vec<&Example> = dataset.examples().filter(is_wanted).collect();
        // What is wrong with a template is told before anything is paid for.
        let work = self.work(&candidate, &examples)?;
        if self.dry_run {
            let bodies: Vec<_> = work.iter().map(|one| candidate.endpoint.kind.body(&one.request)).collect();
            super::say!("{}", serde_json::to_string_pretty(&bodies)?);
            return Ok(());
        }
        let location = super::location(&config)?;
        let server = super::source::otlp_server(&config, &location).await?;
        let mut journal = Journal::open(&super::wal(&config, &location), &location, &id, server)?;
        let in_tables = in_tables(&source, &dataset.name, &id).await?;
        journal.send_again(&in_tables).await?;
        let known: HashSet<Known> = in_tables.union(journal.known()).cloned().collect();
        let total = work.len();
        let work: Vec<Work<'_>> = work.into_iter().filter(|one| !known.contains(&key(one))).collect();
        let there = total - work.len();
        let marks = Marks {
            dataset: pinned.clone(),
            candidate: candidate.name.clone().unwrap_or_else(|| format!("file:{}", self.candidate.display())),
            replay: id.clone(),
        };
        let prices = prices::read(&config)?;
        let caller = Caller::new(&candidate, self.timeout, self.retries)?;
        let tally = self.call_all(work, &caller, &candidate, &marks, &journal, &prices).await?;
        journal.close(&location).await?;
        eprintln!(
            "replay {id}: {} answered, {there} were there, {} failed, {} not tried; candidate `{}` on `{pinned}`",
            tally.answered, tally.failed, tally.left, marks.candidate
        );
        for reason in &tally.reasons {
            eprintln!("tracewell: {reason}");
        }
        if tally.failed + tally.left > 0 {
            bail!("the replay is not complete; the same command goes on with it");
        }
        Ok(())
    }

    /// The same dataset and candidate are the same replay, so that it can be gone on with.
    fn id(&self, pinned: &str, candidate: &str) -> String {
        let again = self.again.then(|| (super::now(), std::process::id()));
        let given = json!([pinned, candidate, again]).to_string();
        fingerprint(given.as_bytes())[..16].to_owned()
    }

    fn work<'a>(&self, candidate: &Candidate, examples: &[&'a Example]) -> anyhow::Result<Vec<Work<'a>>> {
        let mut work = Vec::new();
        for example in examples {
            let request = candidate.request(example).with_context(|| format!("example `{}`", example.id))?;
            let one = |repetition| Work { example, repetition, request: request.clone() };
            work.extend((1..=self.repetitions).map(one));
        }
        // Stopped early, every example has been tried before one is tried twice.
        work.sort_by_key(|one| one.repetition);
        Ok(work)
    }

    async fn call_all(
        &self,
        work: Vec<Work<'_>>,
        caller: &Caller,
        candidate: &Candidate,
        marks: &Marks,
        journal: &Journal,
        prices: &Prices,
    ) -> anyhow::Result<Tally> {
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}").expect("the template is valid");
        let bar = ProgressBar::new(work.len() as u64).with_style(style);
        let spending = Mutex::new(Spending::new(self.max_cost));
        let tally = Mutex::new(Tally::default());
        let stopped = tokio_util::sync::CancellationToken::new();
        let by_hand = tokio::spawn({
            let stopped = stopped.clone();
            async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    stopped.cancel();
                }
            }
        });
        let one = async |work: Work<'_>| -> anyhow::Result<()> {
            let estimate = lock(&spending).begin();
            let (false, Some(estimate)) = (stopped.is_cancelled(), estimate) else {
                lock(&tally).left += 1;
                return Ok(());
            };
            let idempotency = format!("{}-{}-{}", marks.replay, work.example.id, work.repetition);
            let outcome = caller.call(&work.request, &idempotency, &stopped).await;
            let outcome = match outcome {
                Err(Failed::Stopped) => {
                    lock(&spending).end(estimate, None);
                    lock(&tally).left += 1;
                    return Ok(());
                }
                other => other,
            };
            let span =
                span::span(candidate.endpoint.kind, marks, work.example, work.repetition, &work.request, &outcome);
            let cost = outcome
                .as_ref()
                .ok()
                .and_then(|answered| cost(prices, candidate.endpoint.kind, &work.request, answered));
            let is_answered = outcome.is_ok();
            lock(&spending).end(estimate, is_answered.then_some(cost));
            journal.add(&span, is_answered).await?;
            match outcome {
                Ok(_) => lock(&tally).answered += 1,
                Err(failed) => {
                    if failed.is_final() {
                        stopped.cancel();
                    }
                    let mut tally = lock(&tally);
                    tally.failed += 1;
                    let reason = failed.to_string();
                    if !tally.reasons.contains(&reason) && tally.reasons.len() < 5 {
                        tally.reasons.push(reason);
                    }
                }
            }
            bar.inc(1);
            bar.set_message(lock(&spending).to_string());
            Ok(())
        };
        let mut work = work.into_iter();
        // With a ceiling, what a call costs has to be known before many are begun.
        if self.max_cost.is_some()
            && let Some(first) = work.next()
        {
            one(first).await?;
        }
        let mut calls = futures::stream::iter(work).map(one).buffer_unordered(usize::from(self.concurrency));
        let mut outcome = Ok(());
        while let Some(ended) = calls.next().await {
            if let Err(error) = ended {
                // Nothing more is begun; what is under way is waited for.
                stopped.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        drop(calls);
        by_hand.abort();
        bar.finish_and_clear();
        outcome?;
        let spending = spending.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        eprintln!("{spending}");
        Ok(tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// An example at a revision, and which time.
type Known = (String, u32, u32);

fn key(work: &Work<'_>) -> Known {
    (work.example.id.clone(), work.example.revision, work.repetition)
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

/// What a call cost; `None` where it has no price.
fn cost(prices: &Prices, kind: wire::Kind, request: &Request, answered: &Outcome) -> Option<Amount> {
    let route = tracewell_pricing::Route {
        provider: Some(kind.provider()),
        response_model: answered.response.model.as_deref(),
        request_model: Some(&request.model),
        service_tier: answered.response.service_tier.as_deref(),
        ..tracewell_pricing::Route::default()
    };
    let used = answered.response.usage;
    let usage = tracewell_pricing::Usage {
        input_tokens: used.input,
        output_tokens: used.output,
        cache_read_tokens: used.cache_read,
        cache_write_tokens: used.cache_write,
        reasoning_tokens: used.reasoning,
        ..tracewell_pricing::Usage::default()
    };
    let quote = prices.pricer().price(&route, answered.end, &usage).ok()?;
    Some(quote.charge.total)
}

impl Spending {
    fn new(most: Option<Amount>) -> Self {
        Self { most, spent: Amount::ZERO, under_way: Amount::ZERO, dearest: Amount::ZERO, unpriced: 0 }
    }

    /// Sets money aside for a call; `None` where there is not enough left, or with a ceiling after a call without a price.
    fn begin(&mut self) -> Option<Amount> {
        let estimate = self.dearest;
        if let Some(most) = self.most {
            let units = self.spent.units() + self.under_way.units() + estimate.units();
            if units > most.units() || self.unpriced > 0 || self.spent == most {
                return None;
            }
        }
        self.under_way += estimate;
        Some(estimate)
    }

    /// Puts in place of what was set aside what the call cost, if it was answered.
    fn end(&mut self, estimate: Amount, cost: Option<Option<Amount>>) {
        self.under_way = Amount::from_units(self.under_way.units() - estimate.units());
        match cost {
            Some(Some(cost)) => {
                self.spent += cost;
                self.dearest = self.dearest.max(cost);
            }
            Some(None) => self.unpriced += 1,
            None => {}
        }
    }
}

impl std::fmt::Display for Spending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} USD", self.spent)?;
        if self.unpriced > 0 {
            write!(f, " and {} calls without a price", self.unpriced)?;
        }
        Ok(())
    }
}
