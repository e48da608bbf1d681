//! Alerts by themselves: rules are asked again and again, changes are kept in the table `alerts` and sent until they have
//! arrived.
//!
//! ```text
//!   asked ── change N (once per rule: who commits it, found it) ── for each destination, unless silenced:
//!                                                   attempt M (once: who commits it sends) ── delivered | failed
//! ```
//!
//! The number of a change comes from the same answer as the state it changes, so of several servers that saw the same
//! state one keeps the change. Any of them sends it: also what another one kept, and died.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use futures::future::join_all;
use parking_lot::Mutex;
use serde::Serialize;
use tracewell_lake::Lake;
use tracewell_report::alert::{Event, Found, Measure};
use tracewell_report::{Row, RowSource};

use crate::config::{AlertSettings, ReportSettings, Rule};

mod history;
mod send;

pub(crate) use history::silence;
use history::{Entry, History, keep_change};

/// How the rules stand, for `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct States(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    firing: BTreeMap<String, bool>,
    failed: u64,
    unsent: u64,
}

impl States {
    /// As Prometheus reads it.
    pub(crate) fn text(&self) -> String {
        let counted = self.0.lock();
        let mut text =
            "# HELP tracewell_alert_firing Whether an alert fires.\n# TYPE tracewell_alert_firing gauge\n".to_owned();
        for (rule, firing) in &counted.firing {
            text += &format!("tracewell_alert_firing{{rule=\"{rule}\"}} {}\n", u8::from(*firing));
        }
        for (name, help, value) in [
            ("alert_check_failures_total", "Rules that could not be asked.", counted.failed),
            (
                "alert_delivery_failures_total",
                "Attempts to send a change of an alert that failed; it is tried again.",
                counted.unsent,
            ),
        ] {
            text +=
                &format!("# HELP tracewell_{name} {help}\n# TYPE tracewell_{name} counter\ntracewell_{name} {value}\n");
        }
        text
    }
}

/// Asks the rules.
pub(crate) struct Watch<A> {
    source: A,
    lake: Lake,
    rules: AlertSettings,
    report: ReportSettings,
    client: reqwest::Client,
    pub(crate) states: Arc<States>,
}

/// What was found of a rule, and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) rule: String,
    pub(crate) value: Option<f64>,
    pub(crate) threshold: f64,
    pub(crate) samples: Option<i64>,
    /// firing or resolved; `None` as long as it never fired.
    pub(crate) state: Option<&'static str>,
    /// What was kept now.
    pub(crate) event: Option<&'static str>,
    pub(crate) runs: Vec<String>,
}

impl<A: RowSource> Watch<A> {
    pub(crate) fn new(source: A, lake: Lake, rules: AlertSettings, report: ReportSettings) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build().context("cannot set up the HTTP client")?;
        Ok(Self { source, lake, rules, report, client, states: Arc::default() })
    }

    /// Asks every rule, and sends what is due; what fails is an error of its own.
    pub(crate) async fn check(&self, now: DateTime<Utc>) -> Vec<anyhow::Result<Checked>> {
        let (mut checked, mut histories) = (Vec::new(), Vec::new());
        for rule in &self.rules.rules {
            let outcome = match self.history(rule).await {
                Ok(mut history) => {
                    let outcome = self.look(rule, &mut history, now).await;
                    histories.push((rule, history));
                    outcome
                }
                Err(error) => Err(error),
            };
            match &outcome {
                Ok(found) => {
                    self.states.0.lock().firing.insert(rule.name.clone(), found.state == Some(Event::Firing.name()));
                }
                Err(_) => self.states.0.lock().failed += 1,
            }
            checked.push(outcome.with_context(|| format!("alert rule `{}`", rule.name)));
        }
        let sent = join_all(histories.iter().map(|(rule, history)| self.deliver(rule, history, now))).await;
        for error in sent.into_iter().flatten() {
            self.states.0.lock().unsent += 1;
            checked.push(Err(error));
        }
        checked
    }

    /// Asks a rule, and keeps what changed.
    async fn look(&self, rule: &Rule, history: &mut History, now: DateTime<Utc>) -> anyhow::Result<Checked> {
        let question = rule.question(&self.report, now).map_err(anyhow::Error::msg)?;
        let query = question.query(now)?;
        let rows = self.rows(&query).await?;
        let found = rows.first().map(Found::of).unwrap_or_default();
        if found.value.is_none() && rule.measure == Measure::Sql {
            self.needs_value(&query).await?;
        }
        let last = history.last();
        let event = rule.limit().event(&found, last, now);
        let state = match event.or(last.map(|(event, _)| event)) {
            Some(Event::Resolved) => Some(Event::Resolved.name()),
            Some(_) => Some(Event::Firing.name()),
            None => None,
        };
        let mut said = None;
        if let Some(event) = event {
            let change = change(rule, event, &found, history.next(), (now - question.window, now));
            if keep_change(&self.lake, &change, now).await? {
                said = Some(event.name());
                history.changes.push((event, change));
            }
        }
        let Found { value, samples, runs, .. } = found;
        Ok(Checked { rule: rule.name.clone(), value, threshold: rule.threshold, samples, state, event: said, runs })
    }

    /// Refuses a query without a column `value`, which would be as unknown as NULL is: its rule would never fire.
    async fn needs_value(&self, query: &str) -> anyhow::Result<()> {
        let query = query.trim_end().trim_end_matches(';');
        // What stands behind a semicolon cannot be told from a second statement.
        if !query.contains(';') {
            let column = format!("SELECT value FROM (\n{query}\n) AS asked LIMIT 0");
            self.rows(&column).await.context("its query has to give a column `value`")?;
        }
        Ok(())
    }

    async fn history(&self, rule: &Rule) -> anyhow::Result<History> {
        History::of(self.rows(&History::query(&rule.name)).await?)
    }

    async fn rows(&self, sql: &str) -> anyhow::Result<Vec<Row>> {
        self.source.rows(sql).await.map_err(|reason| anyhow!("{reason}"))
    }
}

fn change(
    rule: &Rule,
    event: Event,
    found: &Found,
    number: i64,
    (since, until): (DateTime<Utc>, DateTime<Utc>),
) -> Entry {
    let (name, limit) = (&rule.name, rule.threshold);
    let [value, threshold] =
        found.value.map_or_else(|| ["?".to_owned(), limit.to_string()], |value| rule.measure.told(value, limit));
    let about = found.about.as_ref().map_or_else(String::new, |about| format!(" ({about})"));
    let side = if rule.below { "below" } else { "above" };
    let message = match event {
        Event::Firing => format!("Alert {name}{about}: {value}, {side} {threshold}"),
        Event::StillFiring => format!("Alert {name}{about} goes on: {value}, {side} {threshold}"),
        Event::Resolved => format!("Resolved {name}{about}: {value}, no more {side} {threshold}"),
    };
    Entry {
        rule: name.clone(),
        event: event.name().to_owned(),
        recorded_at: until,
        value: found.value,
        threshold: Some(rule.threshold),
        samples: found.samples,
        since: Some(since),
        until: Some(until),
        runs: Some(found.runs.clone()),
        message: Some(message),
        number: Some(number),
        ..Entry::default()
    }
}

/// Asks the rules again and again.
pub(crate) async fn watch<A: RowSource>(watch: Watch<A>, stop: tokio_util::sync::CancellationToken) {
    if watch.rules.rules.is_empty() {
        return;
    }
    loop {
        for checked in watch.check(crate::clock::moment()).await {
            match checked {
                Ok(Checked { rule, value, event: Some(event), .. }) => tracing::info!(rule, value, "alert: {event}"),
                Ok(_) => {}
                Err(error) => tracing::warn!("{error:#}"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(watch.rules.interval.get()) => {}
        }
    }
}

#[cfg(test)]
mod tests;
