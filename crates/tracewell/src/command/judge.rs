//! `tracewell judge`, and judges of a replay: a model is asked about each answer, once.
//!
//! What it says is a score of the trial's span, written to a journal before anything else is done with it. What neither
//! the tables nor the journal hold is asked for.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use tracewell_ingest::scores::{Score, Value};
use tracewell_ledger::datasets;
use tracewell_ledger::trials::{self, Who};
use tracewell_model::time::Day;
use tracewell_pricing::Amount;
use tracewell_regression::dataset::{Dataset, Pin};
use tracewell_regression::judge::{Judge as Rubric, Judgement};
use tracewell_regression::{Answer, Example, fingerprint};
use tracewell_runs::sql::quoted;

use super::paid::{Caller, Failed, Kept, Outcome, Paid, Till, Work, lock};
use super::source::{Asked, Source};
use crate::prices;

#[derive(Debug, Args)]
pub(crate) struct Judge {
    #[command(flatten)]
    asked: Asked,
    /// The judge: model, rubric, scale, endpoint
    #[arg(value_name = "FILE")]
    judge: PathBuf,
    /// The dataset: NAME, NAME@v3, NAME@2026-11-20
    #[arg(long, value_name = "DATASET")]
    dataset: Pin,
    /// Whose answers: what their trials are marked with; of several replays the latest
    #[arg(long, value_name = "NAME", required_unless_present = "replay")]
    candidate: Option<String>,
    /// The answers of one replay
    #[arg(long, value_name = "ID", conflicts_with = "candidate")]
    replay: Option<String>,
    #[command(flatten)]
    paid: Paid,
}

impl Judge {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let bench = Bench::read(&self.judge, &self.paid)?;
        let dataset = datasets::existing(&self.asked.open().await?, &self.dataset).await?;
        bench.check(&dataset.examples().collect::<Vec<_>>())?;
        let who = match (self.replay, self.candidate) {
            (Some(replay), _) => Who::Replay(replay),
            (None, candidate) => Who::Candidate(candidate.unwrap_or_default()),
        };
        let prices = prices::read(&self.asked.config()?)?;
        let till = self.paid.till(&prices)?;
        let is_complete = bench.judge(&self.asked, &dataset, &who, &till).await?;
        eprintln!("{}", till.spent());
        till.tell_masked()?;
        if !is_complete {
            bail!("not everything is judged; the same command goes on with it");
        }
        Ok(())
    }
}

/// Why there is nothing to judge: who gave no answers, and who did.
fn nobody(who: &Who, dataset: &str, known: &[String]) -> String {
    let (what, several, name) = match who {
        Who::Candidate(name) => ("candidate", "candidates", name),
        Who::Replay(id) => ("replay", "replays", id),
    };
    let there = match known {
        [] => format!("no trial on it names a {what}"),
        known => format!("there are the {several} {}", known.join(", ")),
    };
    format!("there are no trials of the {what} `{name}` on `{dataset}`; {there}")
}

/// A judge that can be asked.
pub(crate) struct Bench {
    judge: Rubric,
    caller: Caller,
}

/// A trial's run and span.
type Judged = (String, String);

/// What a judge said of trials before.
struct Known {
    there: HashSet<Judged>,
    /// Scores of the journal that the tables do not hold.
    unsent: Vec<Score>,
    /// What each cost; `None` where it has no price.
    costs: Vec<Option<Amount>>,
}

impl Bench {
    pub(crate) fn read(path: &Path, paid: &Paid) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let judge = Rubric::parse(&text).with_context(|| format!("`{}` is no judge", path.display()))?;
        Ok(Self { caller: paid.caller(&judge.endpoint)?, judge })
    }

    /// Whether the rubric can be filled for all examples: told before anything is paid for.
    pub(crate) fn check(&self, examples: &[&Example]) -> anyhow::Result<()> {
        for example in examples {
            self.judge.request(example, &Answer::default()).with_context(|| format!("example `{}`", example.id))?;
        }
        Ok(())
    }

    /// Judges the answers that `who` gave to a dataset and that are not judged; whether all are judged then.
    pub(crate) async fn judge(
        &self,
        asked: &Asked,
        dataset: &Dataset,
        who: &Who,
        till: &Till<'_>,
    ) -> anyhow::Result<bool> {
        // What a replay without a server brought is in the tables only now.
        asked.check_server().await?;
        let source = asked.open().await?;
        let since = trials::first_day(&source, &dataset.name).await?;
        let found = trials::find(&source, &dataset.name, who, since).await?;
        if found.trials.is_empty() {
            bail!(nobody(who, &dataset.name, &trials::known(&source, &dataset.name, who, since).await?));
        }
        let results = trials::results(&source, found.trials).await?;
        let (journal, before) = self.journal(asked, dataset, who)?;
        let journal = Mutex::new(journal);
        let Known { there, unsent, costs } = self.known(&source, &results, &before).await?;
        till.paid_before(&costs);
        let mut work = Vec::new();
        let mut total = 0;
        for result in &results {
            let place = &result.place;
            let is_of =
                |example: &&Example| place.revision.is_none_or(|revision| revision == i64::from(example.revision));
            let Some(example) = dataset.get(&place.example).filter(is_of) else { continue };
            let Some(answer) = &result.answer else { continue };
            total += 1;
            if !there.contains(&(place.trace_id.clone(), place.span_id.clone())) {
                let idempotency = format!("{}-{}-{}", self.judge.id(), place.trace_id, place.span_id);
                let request = till.sent(self.judge.request(example, answer)?, &place.example)?;
                work.push(Work { about: place, request, idempotency });
            }
        }
        if total == 0 && unsent.is_empty() {
            let count = results.len();
            eprintln!(
                "tracewell: none of the {count} trials has an answer to an example of `{}` as it is",
                dataset.name
            );
            return Ok(false);
        }
        let judged_before = total - work.len();
        let scores = Mutex::new(unsent);
        let tally = till
            .call_all(&self.caller, work, async |work, _, outcome, cost| {
                let read = outcome.and_then(|outcome| {
                    let judgement = self.judge.read(&outcome.response.answer).map_err(Failed::Unreadable)?;
                    Ok((judgement, outcome))
                });
                let (judgement, outcome) = match read {
                    Ok(read) => read,
                    Err(failed) => return Ok(Err(failed)),
                };
                let score = self.score(work.about, judgement, &outcome, cost);
                lock(&journal).add(&serde_json::to_string(&score)?, true)?;
                lock(&scores).push(score);
                Ok(Ok(()))
            })
            .await?;
        let scores = scores.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        super::score::keep(asked.place(), &scores).await?;
        eprintln!(
            "judge `{}`: {} judged, {judged_before} were, {} failed, {} not asked; by {}",
            self.judge.name, tally.answered, tally.failed, tally.left, self.judge.model
        );
        tally.tell();
        Ok(tally.is_complete())
    }

    /// What was judged, a score a line; with the scores that are there.
    fn journal(&self, asked: &Asked, dataset: &Dataset, who: &Who) -> anyhow::Result<(Kept, Vec<Score>)> {
        let config = asked.config()?;
        let of = fingerprint(format!("{} {who:?}", dataset.name).as_bytes());
        let name = format!("{}-{}.scores.jsonl", &of[..16], self.judge.id());
        let (file, text) = Kept::open(&config, &config.location()?, &name)?;
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let before = lines.map(serde_json::from_slice).collect::<Result<_, _>>();
        Ok((file, before.with_context(|| format!("the journal `{name}`"))?))
    }

    /// What this judge said of trials before.
    async fn known(&self, source: &Source, results: &[trials::Result], journal: &[Score]) -> anyhow::Result<Known> {
        #[derive(Deserialize)]
        struct Row {
            trace_id: String,
            span_id: String,
            is_last: bool,
            cost: Option<String>,
        }
        let first = results.iter().map(|result| result.place.day).min().unwrap_or_default();
        let query = format!(
            "SELECT trace_id, span_id, superseded_at IS NULL AS is_last,
                metadata['cost_usd'] AS cost
            FROM evaluations
            WHERE date >= DATE '{}' AND name = {} AND author = {} AND metadata['judge'] = '{}' AND span_id IS NOT NULL",
            Day(first),
            quoted(&self.judge.name),
            quoted(&self.judge.model),
            self.judge.id()
        );
        let rows: Vec<Row> = tracewell_runs::rows(source, &query).await?;
        let in_tables: HashSet<Judged> = rows.iter().map(|row| (row.trace_id.clone(), row.span_id.clone())).collect();
        let key = |score: &Score| Some((score.trace_id.clone()?, score.span_id.clone()?));
        let unsent: Vec<Score> =
            journal.iter().filter(|score| key(score).is_some_and(|key| !in_tables.contains(&key))).cloned().collect();
        let wanted: HashSet<Judged> =
            results.iter().map(|result| (result.place.trace_id.clone(), result.place.span_id.clone())).collect();
        let is_wanted = |row: &&Row| wanted.contains(&(row.trace_id.clone(), row.span_id.clone()));
        let kept = rows.iter().filter(is_wanted).map(|row| row.cost.as_deref());
        let told = unsent.iter().map(|score| score.metadata.get("cost_usd").map(String::as_str));
        let costs = kept.chain(told).map(|cost| cost?.parse().ok()).collect();
        // What another rubric of the same name and model said since then holds, so this one is asked again.
        let last = rows.into_iter().filter(|row| row.is_last).map(|row| (row.trace_id, row.span_id));
        Ok(Known { there: last.chain(unsent.iter().filter_map(key)).collect(), unsent, costs })
    }

    fn score(&self, place: &trials::Place, said: Judgement, outcome: &Outcome, cost: Option<Amount>) -> Score {
        let response = &outcome.response;
        let about = [
            ("judge", Some(self.judge.id())),
            ("cost_usd", cost.map(|cost| cost.to_string())),
            ("response_model", response.model.clone()),
            ("input_tokens", response.usage.input.map(|count| count.to_string())),
            ("output_tokens", response.usage.output.map(|count| count.to_string())),
        ];
        Score {
            name: self.judge.name.clone(),
            value: Some(Value::Number(said.score)),
            trace_id: Some(place.trace_id.clone()),
            span_id: Some(place.span_id.clone()),
            explanation: Some(said.explanation),
            source: Some("model".to_owned()),
            author: Some(self.judge.model.clone()),
            // Sent twice it is the same score.
            time: Some(chrono::DateTime::from_timestamp_nanos(outcome.end)),
            metadata: BTreeMap::from_iter(about.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)))),
            ..Score::default()
        }
    }
}
