//! A change of an alert on its way to those who are to know.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::json;
use tracewell_report::RowSource;
use tracewell_report::alert::Event;
use tracewell_report::deliver::{Destination, Message};

use super::Watch;
use super::history::{Entry, History, keep_step};
use crate::config::{Rule, written};
use crate::delivery::put;

impl<A: RowSource> Watch<A> {
    /// Sends what is due of a rule. What does not arrive is tried again later, and told.
    pub(super) async fn deliver(&self, rule: &Rule, history: &History, now: DateTime<Utc>) -> Vec<anyhow::Error> {
        let destinations = rule.deliver.iter().filter_map(|name| self.report.destination(name));
        let sent = destinations.filter_map(|destination| {
            let (change, attempt) = history.due(destination.name(), now)?;
            Some(async move {
                let sent = self.send(change, attempt, destination, now).await;
                sent.map_err(|error| {
                    error.context(format!("alert rule `{}` cannot be sent to `{}`", rule.name, destination.name()))
                })
            })
        });
        join_all(sent).await.into_iter().filter_map(Result::err).collect()
    }

    async fn send(
        &self,
        change: &Entry,
        attempt: i64,
        destination: &Destination,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let (lake, to) = (&self.lake, destination.name());
        if !keep_step(lake, change, "attempt", to, attempt, None, now).await? {
            return Ok(());
        }
        let message = message(change, &self.report.links);
        let sent = match destination {
            Destination::Store { folder, .. } => {
                let file = format!("{}.json", change.number.unwrap_or_default());
                let text = format!("{:#}\n", message.json);
                put(lake.location(), folder, &["alerts", &change.rule, &file], text).await
            }
            _ => destination.send(&self.client, &message).await.map_err(anyhow::Error::new),
        };
        match sent {
            Ok(()) => keep_step(lake, change, "delivered", to, attempt, None, now).await.map(|_| ()),
            Err(error) => {
                keep_step(lake, change, "failed", to, attempt, Some(format!("{error:#}")), now).await?;
                Err(error)
            }
        }
    }
}

/// What is said of a change, the same at each attempt.
fn message(change: &Entry, links: &str) -> Message {
    let Entry { rule, event, value, threshold, samples, .. } = change;
    let subject = change.message.clone().unwrap_or_default();
    let window = change.since.zip(change.until).map_or(TimeDelta::zero(), |(since, until)| until - since);
    let runs = change.runs.as_deref().unwrap_or_default();
    let mut lines = vec![format!(
        "Over {} up to {}{}.",
        written(window.to_std().unwrap_or_default()),
        change.recorded_at.format("%F %H:%M UTC"),
        samples.map_or_else(String::new, |samples| format!(", from {samples} samples"))
    )];
    let links = links.trim_end_matches('/');
    if event != Event::Resolved.name() {
        lines.extend(
            runs.iter()
                .map(|run| if links.is_empty() { format!("Run {run}") } else { format!("{links}/v1/runs/{run}") }),
        );
    }
    Message {
        id: format!("tracewell-alert-{rule}-{}", change.number.unwrap_or_default()),
        json: json!({"event": "alert", "rule": rule, "state": event, "value": value, "threshold": threshold,
            "samples": samples, "runs": runs, "message": subject}),
        subject,
        text: lines.join("\n"),
        files: Vec::new(),
    }
}
