//! Alerts by themselves: rules are asked again and again, changes are kept in the table `alerts` and sent.
//!
//! A change is the only row of its rule and stretch of time, so of several servers one keeps it, and that one sends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracewell_lake::kept::keep;
use tracewell_lake::{Commit, FactTable, Lake, Transaction};
use tracewell_model::schema::ALERTS;
use tracewell_report::alert::{Event, Found};
use tracewell_report::deliver::Message;
use tracewell_report::{Ask, Row};

use crate::config::{AlertSettings, ReportSettings, Rule};

/// Pauses between attempts to send a change.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];

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
            ("alert_delivery_failures_total", "Changes of alerts that could not be sent.", counted.unsent),
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
    /// What was kept and sent now.
    pub(crate) event: Option<&'static str>,
    pub(crate) runs: Vec<String>,
}

/// A row of `alerts`.
#[derive(Default, Serialize)]
struct Entry<'a> {
    rule: &'a str,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
}

/// What was said of a rule before.
#[derive(Default)]
struct Before {
    last: Option<(Event, DateTime<Utc>)>,
    silenced_until: Option<DateTime<Utc>>,
}

impl<A: Ask> Watch<A> {
    pub(crate) fn new(source: A, lake: Lake, rules: AlertSettings, report: ReportSettings) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build().context("cannot set up the HTTP client")?;
        Ok(Self { source, lake, rules, report, client, states: Arc::default() })
    }

    /// Asks every rule; a rule that cannot be asked is an error of its own.
    pub(crate) async fn check(&self, now: DateTime<Utc>) -> Vec<anyhow::Result<Checked>> {
        let mut checked = Vec::new();
        for rule in &self.rules.rules {
            let outcome = self.check_one(rule, now).await.with_context(|| format!("alert rule `{}`", rule.name));
            match &outcome {
                Ok(found) => {
                    self.states.0.lock().firing.insert(rule.name.clone(), found.state == Some(Event::Firing.name()));
                }
                Err(_) => self.states.0.lock().failed += 1,
            }
            checked.push(outcome);
        }
        checked
    }

    async fn check_one(&self, rule: &Rule, now: DateTime<Utc>) -> anyhow::Result<Checked> {
        let question = rule.question(&self.report, now).map_err(anyhow::Error::msg)?;
        let rows = self.rows(&question.query(now)?).await?;
        let found = rows.first().map(Found::of).unwrap_or_default();
        let before = self.before(&rule.name).await?;
        let event = rule.limit().event(&found, before.last, now);
        let state = match event.or(before.last.map(|(event, _)| event)) {
            Some(Event::Resolved) => Some(Event::Resolved.name()),
            Some(_) => Some(Event::Firing.name()),
            None => None,
        };
        let mut said = None;
        if let Some(event) = event {
            let message = self.message(rule, event, &found, question.window);
            if self.keep(rule, event, &found, &message.subject, now - question.window, now).await? {
                said = Some(event.name());
                if before.silenced_until.is_none_or(|until| until <= now) {
                    self.send(rule, &message).await;
                }
            }
        }
        let Found { value, samples, runs } = found;
        Ok(Checked { rule: rule.name.clone(), value, threshold: rule.threshold, samples, state, event: said, runs })
    }

    async fn rows(&self, sql: &str) -> anyhow::Result<Vec<Row>> {
        self.source.rows(sql).await.map_err(|reason| anyhow!("{reason}"))
    }

    async fn before(&self, rule: &str) -> anyhow::Result<Before> {
        #[derive(Deserialize)]
        struct Kept {
            event: String,
            recorded_at: DateTime<Utc>,
            until: Option<DateTime<Utc>>,
        }
        let rule = rule.replace('\'', "''");
        let sql = format!("SELECT event, recorded_at, until FROM alerts WHERE rule = '{rule}' ORDER BY recorded_at");
        let mut before = Before::default();
        for row in self.rows(&sql).await? {
            let Kept { event, recorded_at, until } = serde_json::from_value(row.into())?;
            match event.as_str() {
                "firing" => before.last = Some((Event::Firing, recorded_at)),
                "still_firing" => before.last = Some((Event::StillFiring, recorded_at)),
                "resolved" => before.last = Some((Event::Resolved, recorded_at)),
                // The last silence holds, also where it ends an earlier one.
                _ => before.silenced_until = until,
            }
        }
        Ok(before)
    }

    fn message(&self, rule: &Rule, event: Event, found: &Found, window: TimeDelta) -> Message {
        let value = found.value.map_or_else(|| "?".to_owned(), |value| format!("{value:.4}"));
        let (name, threshold) = (&rule.name, rule.threshold);
        let side = if rule.below { "below" } else { "above" };
        let subject = match event {
            Event::Firing => format!("Alert {name}: {value}, {side} {threshold}"),
            Event::StillFiring => format!("Alert {name} goes on: {value}, {side} {threshold}"),
            Event::Resolved => format!("Resolved {name}: {value}, no more {side} {threshold}"),
        };
        let mut lines = vec![format!(
            "Over the last {}, from {} samples.",
            humantime::format_duration(window.to_std().unwrap_or_default()),
            found.samples.unwrap_or_default()
        )];
        let links = self.report.links.trim_end_matches('/');
        if event != Event::Resolved {
            lines.extend(
                found
                    .runs
                    .iter()
                    .map(|run| if links.is_empty() { format!("Run {run}") } else { format!("{links}/v1/runs/{run}") }),
            );
        }
        Message {
            id: format!("tracewell-alert-{name}-{}", crate::command::now()),
            json: json!({"event": "alert", "rule": name, "state": event.name(), "value": found.value, "threshold": threshold,
                "samples": found.samples, "runs": found.runs, "message": subject}),
            subject,
            text: lines.join("\n"),
            files: Vec::new(),
        }
    }

    /// Whether it was this process that kept it.
    async fn keep(
        &self,
        rule: &Rule,
        event: Event,
        found: &Found,
        message: &str,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let entry = Entry {
            rule: &rule.name,
            event: event.name(),
            value: found.value,
            threshold: Some(rule.threshold),
            samples: found.samples,
            since: Some(time(since)),
            until: Some(time(now)),
            runs: Some(&found.runs),
            message: Some(message),
            author: None,
        };
        let interval = i64::try_from(self.rules.interval.get().as_millis()).unwrap_or(i64::MAX).max(1);
        let once = Transaction { app: format!("alert:{}", rule.name), version: now.timestamp_millis() / interval };
        Ok(matches!(keep(table(&self.lake)?, &[entry], &once, crate::command::now()).await?, Commit::Landed(_)))
    }

    async fn send(&self, rule: &Rule, message: &Message) {
        for destination in rule.deliver.iter().filter_map(|name| self.report.destination(name)) {
            let mut pauses = PAUSES.into_iter();
            while let Err(error) = destination.send(&self.client, message).await {
                let Some(pause) = pauses.next() else {
                    tracing::warn!("alert rule `{}` cannot be sent to `{}`: {error}", rule.name, destination.name());
                    self.states.0.lock().unsent += 1;
                    break;
                };
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Keeps a silence: until then a rule's changes are kept and not sent.
pub(crate) async fn silence(
    lake: &Lake,
    rule: &str,
    until: DateTime<Utc>,
    author: &str,
    why: &str,
) -> anyhow::Result<()> {
    let now = crate::command::now();
    let entry = Entry {
        rule,
        event: "silenced",
        until: Some(time(until)),
        message: Some(why),
        author: Some(author),
        ..Entry::default()
    };
    let once = Transaction { app: format!("alert-silence:{rule}"), version: now };
    keep(table(lake)?, &[entry], &once, now).await?;
    Ok(())
}

fn table(lake: &Lake) -> anyhow::Result<&Arc<FactTable>> {
    lake.table(ALERTS.name).context("the lake has no table of alerts")
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Asks the rules again and again.
pub(crate) async fn watch<A: Ask>(watch: Watch<A>, stop: tokio_util::sync::CancellationToken) {
    if watch.rules.rules.is_empty() {
        return;
    }
    loop {
        for checked in watch.check(crate::command::moment()).await {
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
