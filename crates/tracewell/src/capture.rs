//! From traffic to a dataset: what a rule catches and is worth an example; by hand, and by the server on a schedule.
//!
//! A schedule takes examples once for each moment of its cron expression. What it took says so, as author
//! (`schedule/NAME`) and note (`due TIME`), and the dataset's next version is the only one of its number: whichever
//! server is first takes them, the others find that it was done.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use tokio_util::sync::CancellationToken;
use tracewell_ledger::capture::{self, Catch};
use tracewell_ledger::{Ledger, LedgerError, datasets};
use tracewell_query::Engine;
use tracewell_query::named::{Catalogue, NamedQuery};
use tracewell_regression::capture::{Caught, Chosen, Sampling, Why, choose};
use tracewell_regression::dataset::{At, Dataset, Edit, Pin, Signed};
use tracewell_regression::near_duplicates::NearDuplicates;
use tracewell_report::schedule::Moments;
use tracewell_runs::Ask;

use crate::config::{CaptureSchedule, CaptureSettings};

/// The group of named queries whose rows are caught.
pub(crate) const GROUP: &str = "capture";

/// The rules there are.
pub(crate) fn rules(catalogue: &Catalogue) -> impl Iterator<Item = &NamedQuery> {
    catalogue.iter().filter(|query| query.group == GROUP)
}

/// A rule's SQL with its values.
pub(crate) fn rule(catalogue: &Catalogue, name: &str, values: &BTreeMap<String, String>) -> anyhow::Result<String> {
    match catalogue.get(name).filter(|query| query.group == GROUP) {
        Some(rule) => Ok(rule.bind(values)?),
        None => {
            let known: Vec<String> = rules(catalogue).map(|rule| format!("`{}`", rule.name)).collect();
            bail!("there is no rule `{name}`; there are {}", known.join(", "))
        }
    }
}

/// Which of what was caught is taken, and how it is marked.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) limit: usize,
    pub(crate) per_prompt_version: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) near: f64,
    pub(crate) split: Option<String>,
    pub(crate) tags: Vec<String>,
}

impl Choice {
    /// The examples to take, beside those that are there.
    pub(crate) fn choose(&self, dataset: &Dataset, catch: &Catch) -> Result<Chosen, LedgerError> {
        let near = NearDuplicates { threshold: self.near, words: NonZero::<usize>::MIN.saturating_add(2) };
        let sampling = Sampling {
            limit: self.limit,
            per_prompt_version: self.per_prompt_version,
            seed: self.seed,
            near: Some(near),
        };
        let mut caught = catch.caught.clone();
        for Caught { example, .. } in &mut caught {
            example.split.clone_from(&self.split);
            example.tags.clone_from(&self.tags);
        }
        choose(dataset, caught, &sampling).map_err(LedgerError::Refused)
    }

    /// What the rule catches, as far as it takes for a dataset that is as it is now.
    pub(crate) async fn catch(&self, source: &impl Ask, dataset: &str, rule: &str) -> Result<Catch, LedgerError> {
        let pin = Pin { dataset: dataset.to_owned(), at: At::Latest };
        let dataset = datasets::at(source, &pin).await?;
        let enough = |catch: &Catch| Ok(self.choose(&dataset, catch)?.examples.len() >= self.limit);
        capture::ask(source, rule, self.seed, self.limit.max(1), enough).await
    }
}

/// The changes that put examples in.
pub(crate) fn edits(chosen: &Chosen) -> Vec<Edit> {
    chosen.examples.iter().cloned().map(|example| Edit::Put(Box::new(example))).collect()
}

/// What the server takes by itself.
pub(crate) struct Net {
    schedules: Vec<Scheduled>,
    settings: CaptureSettings,
    catalogue: Arc<Catalogue>,
    ledger: Ledger<Arc<Engine>>,
}

struct Scheduled {
    schedule: CaptureSchedule,
    moments: Moments,
    /// The last moment that was dealt with.
    done: Option<DateTime<Utc>>,
}

impl Net {
    /// The schedules of the settings, whose rules all have to be there.
    pub(crate) fn new(
        settings: &CaptureSettings,
        catalogue: &Arc<Catalogue>,
        ledger: Ledger<Arc<Engine>>,
    ) -> anyhow::Result<Self> {
        let mut schedules = Vec::new();
        for schedule in &settings.schedules {
            let of = || format!("schedule `{}` of capture", schedule.name);
            rule(catalogue, &schedule.rule, &schedule.parameters).with_context(of)?;
            let moments = schedule.moments(&settings.time_zone).with_context(of)?;
            schedules.push(Scheduled { schedule: schedule.clone(), moments, done: None });
        }
        Ok(Self { schedules, settings: settings.clone(), catalogue: Arc::clone(catalogue), ledger })
    }

    /// Takes what is due, again and again until `stop`.
    pub(crate) async fn watch(mut self, stop: CancellationToken) {
        if self.schedules.is_empty() {
            return;
        }
        let rounds = async {
            loop {
                self.round(crate::clock::moment()).await;
                tokio::time::sleep(self.settings.interval.get()).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn round(&mut self, now: DateTime<Utc>) {
        for scheduled in &mut self.schedules {
            let Some(due) = scheduled.moments.last(now).filter(|due| scheduled.done != Some(*due)) else { continue };
            let name = &scheduled.schedule.name;
            match take(&scheduled.schedule, due, &self.catalogue, &self.ledger).await {
                Ok(told) => {
                    scheduled.done = Some(due);
                    tracing::info!(schedule = name, "{told}");
                }
                Err(error) => tracing::error!(schedule = name, "cannot capture, and will try again: {error:#}"),
            }
        }
    }
}

/// Takes the examples of one moment, unless that was done.
async fn take(
    schedule: &CaptureSchedule,
    due: DateTime<Utc>,
    catalogue: &Catalogue,
    ledger: &Ledger<Arc<Engine>>,
) -> anyhow::Result<String> {
    let due_at = due.to_rfc3339_opts(SecondsFormat::Secs, true);
    let signed = Signed { author: format!("schedule/{}", schedule.name), note: Some(format!("due {due_at}")) };
    let since = due - chrono::Duration::from_std(schedule.back.get())?;
    let mut values = schedule.parameters.clone();
    let has_since = |rule: &NamedQuery| rule.parameters.iter().any(|parameter| parameter.name == "since");
    if catalogue.get(&schedule.rule).is_some_and(has_since) {
        values.insert("since".to_owned(), since.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    let choice = Choice {
        limit: schedule.limit,
        per_prompt_version: schedule.per_prompt_version,
        seed: schedule.seed,
        near: schedule.near,
        split: schedule.split.clone(),
        tags: schedule.tags.clone(),
    };
    let rule = rule(catalogue, &schedule.rule, &values)?;
    let catch = choice.catch(&ledger.source, &schedule.dataset, &rule).await?;
    let mut misfits = 0;
    let changed = ledger
        .change_once(&schedule.dataset, &signed, |dataset| {
            let chosen = choice.choose(dataset, &catch)?;
            misfits = chosen.left_out.iter().filter(|out| matches!(out.why, Why::Misfit { .. })).count();
            Ok(edits(&chosen))
        })
        .await?;
    Ok(match changed {
        None => format!("what was due at {due_at} was taken before"),
        Some(changed) => {
            let unfit = if misfits == 0 { String::new() } else { format!("; {misfits} are not as its schema wants") };
            let (count, of) = (changed.rows.len(), catch.caught.len() + catch.left);
            format!(
                "{count} of {of} that were caught are new examples: `{}@v{}`{unfit}",
                schedule.dataset, changed.version
            )
        }
    })
}
