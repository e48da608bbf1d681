//! What the table `alerts` tells of a rule, and what is added to it.

use std::sync::Arc;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracewell_lake::kept::keep;
use tracewell_lake::{Commit, FactTable, Lake, Transaction};
use tracewell_model::schema::ALERTS;
use tracewell_report::Row;
use tracewell_report::alert::Event;

use crate::delivery::{Delivery, Step, delivery};

/// A row of `alerts`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(default)]
    pub(super) rule: String,
    pub(super) event: String,
    #[serde(skip_serializing)]
    pub(super) recorded_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) samples: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) runs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// What was said of a rule, and to whom.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The oldest first.
    pub(super) changes: Vec<(Event, Entry)>,
    steps: Vec<Entry>,
    silenced_until: Option<DateTime<Utc>>,
}

impl History {
    /// The query that [`of`](Self::of) reads.
    pub(super) fn query(rule: &str) -> String {
        format!(
            "SELECT rule, event, recorded_at, value, threshold, samples, since, until, runs, message, number, destination, attempt \
             FROM alerts WHERE rule = '{}' ORDER BY number NULLS FIRST, recorded_at",
            rule.replace('\'', "''")
        )
    }

    /// What the rows tell.
    pub(super) fn of(rows: Vec<Row>) -> anyhow::Result<Self> {
        let mut history = Self::default();
        for row in rows {
            let entry: Entry = serde_json::from_value(row.into()).context("the table of alerts cannot be read")?;
            match (Event::named(&entry.event), entry.event.as_str()) {
                (Some(event), _) => history.changes.push((event, entry)),
                // The last silence holds, also where it ends an earlier one.
                (None, "silenced") => history.silenced_until = entry.until,
                (None, _) => history.steps.push(entry),
            }
        }
        Ok(history)
    }

    /// The last change, and when it was.
    pub(super) fn last(&self) -> Option<(Event, DateTime<Utc>)> {
        self.changes.last().map(|(event, entry)| (*event, entry.recorded_at))
    }

    /// The number of the next change.
    pub(super) fn next(&self) -> i64 {
        self.changes.iter().filter_map(|(_, entry)| entry.number).max().unwrap_or_default() + 1
    }

    /// The change that a destination is to be told now, and the how manieth attempt that is.
    ///
    /// It is the last one: a change that never arrived is told by the one behind it. That all is well again is told to
    /// those alone who were to hear that it was not: what came and went under a silence is nobody's business.
    pub(super) fn due(&self, destination: &str, now: DateTime<Utc>) -> Option<(&Entry, i64)> {
        let (event, last) = self.changes.last()?;
        let number = last.number?;
        let silent = self.silenced_until.is_some_and(|until| until > now);
        if silent || (*event == Event::Resolved && !self.was_told_of_firing(destination)) {
            return None;
        }
        let steps = self.steps_of(destination, number).map(|step| Step {
            event: &step.event,
            attempt: step.attempt.unwrap_or_default(),
            at: step.recorded_at,
        });
        match delivery(steps, now) {
            Delivery::Next(attempt) => Some((last, attempt)),
            Delivery::Done | Delivery::Waiting | Delivery::GivenUp => None,
        }
    }

    fn steps_of(&self, destination: &str, number: i64) -> impl Iterator<Item = &Entry> {
        self.steps
            .iter()
            .filter(move |step| step.number == Some(number) && step.destination.as_deref() == Some(destination))
    }

    /// Whether it was tried to tell a destination of the firing that the last change ends.
    fn was_told_of_firing(&self, destination: &str) -> bool {
        let mut firing = self.changes.iter().rev().skip(1).take_while(|(event, _)| *event != Event::Resolved);
        // Older versions did not number changes, and sent them at once.
        firing.any(|(_, change)| change.number.is_none_or(|number| self.steps_of(destination, number).next().is_some()))
    }
}

/// Keeps a change under its number. Whether it was this process that did: of several that saw the same, one does.
pub(super) async fn keep_change(lake: &Lake, change: &Entry, now: DateTime<Utc>) -> anyhow::Result<bool> {
    // Not `alert:…`, by which older versions counted stretches of time.
    let app = format!("alert-change:{}", change.rule);
    add(lake, change, Transaction { app, version: change.number.unwrap_or_default() }, now).await
}

/// More than there are attempts to send one change.
const ATTEMPTS: i64 = 1_000;

/// Keeps a step of a delivery: `attempt`, `delivered`, `failed`. Whether it was this process that did.
pub(super) async fn keep_step(
    lake: &Lake,
    change: &Entry,
    event: &str,
    destination: &str,
    attempt: i64,
    reason: Option<String>,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let number = change.number.unwrap_or_default();
    let step = Entry {
        rule: change.rule.clone(),
        event: event.to_owned(),
        number: Some(number),
        destination: Some(destination.to_owned()),
        attempt: Some(attempt),
        reason,
        ..Entry::default()
    };
    let app = format!("alert-{event}:{}:{destination}", change.rule);
    add(lake, &step, Transaction { app, version: number * ATTEMPTS + attempt }, now).await
}

/// Keeps a silence: until then a rule's changes are kept and not sent.
pub(crate) async fn silence(
    lake: &Lake,
    rule: &str,
    until: DateTime<Utc>,
    author: &str,
    why: &str,
) -> anyhow::Result<()> {
    let app = format!("alert-silence:{rule}");
    let version = table(lake)?.watermark(&app).await?.unwrap_or_default() + 1;
    let entry = Entry {
        rule: rule.to_owned(),
        event: "silenced".to_owned(),
        until: Some(until),
        message: Some(why.to_owned()),
        author: Some(author.to_owned()),
        // Two silences may be of one second.
        number: Some(version),
        ..Entry::default()
    };
    let kept = add(lake, &entry, Transaction { app, version }, crate::clock::moment()).await?;
    ensure!(kept, "somebody else silenced `{rule}` at the same moment; see `tracewell alerts list`, and try again");
    Ok(())
}

async fn add(lake: &Lake, entry: &Entry, once: Transaction, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let now = now.timestamp_nanos_opt().context("this clock is centuries off")?;
    Ok(matches!(keep(table(lake)?, std::slice::from_ref(entry), &[once], now).await?, Commit::Landed(_)))
}

fn table(lake: &Lake) -> anyhow::Result<&Arc<FactTable>> {
    lake.table(ALERTS.name).context("the lake has no table of alerts")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    /// A history of `minute event number destination attempt`; `-` is nothing.
    fn history(rows: &[&str]) -> History {
        let rows = rows.iter().map(|row| {
            let parts: Vec<&str> = row.split(' ').collect();
            let mut entry = json!({"rule": "r", "event": parts[1], "recorded_at": at(parts[0].parse().unwrap())});
            for (name, part) in ["number", "destination", "attempt"].into_iter().zip(&parts[2..]) {
                match (name, *part) {
                    (_, "-") => {}
                    ("destination", name) => entry["destination"] = json!(name),
                    (column, number) => entry[column] = json!(number.parse::<i64>().unwrap()),
                }
            }
            if parts[1] == "silenced" {
                entry["until"] = json!(at(60));
            }
            entry.as_object().unwrap().clone()
        });
        History::of(rows.collect()).unwrap()
    }

    fn at(minute: i64) -> DateTime<Utc> {
        "2026-11-20T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute)
    }

    fn due(rows: &[&str], minute: i64) -> Option<(i64, i64)> {
        history(rows).due("hook", at(minute)).map(|(change, attempt)| (change.number.unwrap(), attempt))
    }

    #[test]
    fn a_change_is_sent_until_it_arrives_also_when_its_sender_dies() {
        assert_eq!(due(&[], 0), None);
        assert_eq!(due(&["0 firing 1"], 0), Some((1, 1)), "it was kept, and its keeper died before it was sent");
        let begun = ["0 firing 1", "0 attempt 1 hook 1"];
        assert_eq!((due(&begun, 9), due(&begun, 10)), (None, Some((1, 2))), "its sender died on the way");
        let failed =
            ["0 firing 1", "0 attempt 1 hook 1", "0 failed 1 hook 1", "1 attempt 1 hook 2", "1 failed 1 hook 2"];
        assert_eq!((due(&failed, 2), due(&failed, 3)), (None, Some((1, 3))), "two minutes behind the second failure");
        let other = ["0 firing 1", "0 attempt 1 mail 1", "0 delivered 1 mail 1"];
        assert_eq!(due(&other, 0), Some((1, 1)), "another destination got it");
        let done = ["0 firing 1", "0 attempt 1 hook 1", "0 delivered 1 hook 1"];
        assert_eq!(due(&done, 900), None);
        let over = [&done[..], &["5 resolved 2"]].concat();
        assert_eq!(due(&over, 5), Some((2, 1)));
        assert_eq!(due(&["0 firing 1", "0 attempt 1 hook 1", "5 resolved 2"], 5), Some((2, 1)), "it may have arrived");
    }

    #[test]
    fn what_lasts_longer_than_a_silence_is_told_behind_it_and_what_does_not_is_not() {
        let fires = ["0 silenced", "5 firing 1"];
        assert_eq!((due(&fires, 59), due(&fires, 60)), (None, Some((1, 1))));
        let came_and_went = [&fires[..], &["9 resolved 2"]].concat();
        assert_eq!((due(&came_and_went, 59), due(&came_and_went, 60)), (None, None));
        let told = ["0 firing 1", "0 attempt 1 hook 1", "0 delivered 1 hook 1", "1 silenced", "9 resolved 2"];
        assert_eq!((due(&told, 59), due(&told, 60)), (None, Some((2, 1))), "they still think that it fires");
        let again = [&came_and_went[..], &["70 firing 3", "71 still_firing 4"]].concat();
        assert_eq!(due(&again, 71), Some((4, 1)), "the last change says it all");
    }

    #[test]
    fn rows_of_older_versions_were_sent_when_they_were_kept() {
        assert_eq!(due(&["0 firing"], 5), None);
        assert_eq!(due(&["0 firing", "5 resolved 1"], 5), Some((1, 1)));
        let old = history(&["0 firing", "7 resolved"]);
        assert_eq!((old.last(), old.next()), (Some((Event::Resolved, at(7))), 1));
        assert_eq!(history(&["0 firing", "5 resolved 1", "6 firing 2"]).next(), 3);
    }
}
