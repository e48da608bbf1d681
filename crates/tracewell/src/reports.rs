//! Reports by themselves: what is due is produced, published once, and sent until it has arrived.
//!
//! Everything that happens is a row of the table `reports`, and each such row is the only one of its transaction:
//!
//! ```text
//!   due ── produce ── published (once per name and period) ── for each destination:
//!                                                   attempt N (once: who commits it sends) ── delivered | failed
//! ```
//!
//! So several servers, and a server and `tracewell report run --due`, need nothing to agree on. An attempt of which
//! nothing more is heard counts as failed after a while: what was sent by a process that died then is sent again, under
//! the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tracewell_lake::kept::keep;
use tracewell_lake::{Commit, FactTable, Lake, Transaction};
use tracewell_model::schema::REPORTS;
use tracewell_report::deliver::Destination;
use tracewell_report::schedule::{Due, Schedule, Timetable};
use tracewell_report::{Page, Request, RowSource, produce, published_page};

use crate::config::ReportSettings;
use crate::delivery::{Delivery, Step, delivery};

mod send;

/// What is older is not sent any more.
const STALE: TimeDelta = TimeDelta::days(7);

/// What happened, for `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) undelivered: AtomicU64,
}

impl Counters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// As Prometheus reads it.
    pub(crate) fn text(&self) -> String {
        let counted = [
            ("reports_published_total", "Reports published by schedules.", &self.published),
            ("report_failures_total", "Reports that could not be produced; they are tried again.", &self.failed),
            ("report_deliveries_total", "Reports that arrived at a destination.", &self.delivered),
            ("report_delivery_failures_total", "Attempts to deliver a report that failed.", &self.undelivered),
        ];
        let line = |(name, help, counter): (&str, &str, &AtomicU64)| {
            let value = counter.load(Ordering::Relaxed);
            format!("# HELP tracewell_{name} {help}\n# TYPE tracewell_{name} counter\ntracewell_{name} {value}\n")
        };
        counted.into_iter().map(line).collect()
    }
}

/// What could not be produced, by schedule and period: how often, and when it may be tried again.
type Failures = BTreeMap<(String, String), (u32, DateTime<Utc>)>;

/// Produces, publishes and sends.
pub(crate) struct Desk<A> {
    source: A,
    lake: Lake,
    settings: ReportSettings,
    client: reqwest::Client,
    failures: Mutex<Failures>,
    pub(crate) counters: Arc<Counters>,
}

/// A row of `reports`; a column that is `None` is NULL.
#[derive(Default, Serialize)]
struct Entry<'a> {
    event: &'static str,
    name: &'a str,
    period: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unpriced_calls: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prices_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What happened so far, as the table tells it.
#[derive(Deserialize)]
struct Happened {
    event: String,
    period: String,
    recorded_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    destination: Option<String>,
    attempt: Option<i64>,
}

impl<A: RowSource> Desk<A> {
    pub(crate) fn new(source: A, lake: Lake, settings: ReportSettings) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build().context("cannot set up the HTTP client")?;
        Ok(Self { source, lake, settings, client, failures: Mutex::default(), counters: Arc::default() })
    }

    /// Produces and sends what is due; tells what happened, a line each.
    pub(crate) async fn run_due(&self, now: DateTime<Utc>) -> Vec<anyhow::Result<String>> {
        let mut told = Vec::new();
        for schedule in &self.settings.schedules {
            if let Err(error) = self.run(schedule, now, &mut told).await {
                Counters::count(&self.counters.failed);
                told.push(Err(error.context(format!("schedule `{}`", schedule.name))));
            }
        }
        told
    }

    async fn run(
        &self,
        schedule: &Schedule,
        now: DateTime<Utc>,
        told: &mut Vec<anyhow::Result<String>>,
    ) -> anyhow::Result<()> {
        let timetable = schedule.timetable(&self.settings.time_zone)?;
        let mut happened = self.happened(&schedule.name).await?;
        let published = || happened.iter().filter(|row| row.event == "published");
        let produced: BTreeSet<String> = published().map(|row| row.period.clone()).collect();
        let since = published().filter_map(|row| row.due_at).min();
        let due = timetable.due(&produced, since, now);
        for due in &due {
            let which = (schedule.name.clone(), due.period.to_string());
            if self.failures.lock().get(&which).is_some_and(|(_, again)| now < *again) {
                continue;
            }
            match self.produce(schedule, &timetable, due, now).await {
                Ok(is_ours) => {
                    self.failures.lock().remove(&which);
                    if is_ours {
                        Counters::count(&self.counters.published);
                        told.push(Ok(format!("published {} of {}", schedule.name, due.period)));
                    }
                }
                Err(error) => {
                    self.failed(which, now);
                    Counters::count(&self.counters.failed);
                    told.push(Err(error.context(format!("cannot produce {} of {}", schedule.name, due.period))));
                }
            }
        }
        if !due.is_empty() {
            happened = self.happened(&schedule.name).await?;
        }
        let fresh: BTreeSet<&str> = happened
            .iter()
            .filter(|row| row.event == "published" && now - row.recorded_at < STALE)
            .map(|row| row.period.as_str())
            .collect();
        for period in fresh {
            for name in &schedule.deliver {
                let Some(destination) = self.settings.destination(name) else { continue };
                if let Some(outcome) = self.deliver(schedule, period, destination, &happened, now).await? {
                    told.push(outcome);
                }
            }
        }
        Ok(())
    }

    /// What cannot be produced is tried less and less often: behind 2, 4, … 64 intervals.
    fn failed(&self, which: (String, String), now: DateTime<Utc>) {
        let mut failures = self.failures.lock();
        let (times, again) = failures.entry(which).or_default();
        *times = (*times + 1).min(6);
        let pause = TimeDelta::from_std(self.settings.interval.get() * 2u32.pow(*times));
        *again = now + pause.unwrap_or(STALE).min(STALE);
    }

    async fn happened(&self, name: &str) -> anyhow::Result<Vec<Happened>> {
        let sql = format!(
            "SELECT event, period, recorded_at, due_at, destination, attempt FROM reports WHERE name = '{}' ORDER BY recorded_at",
            name.replace('\'', "''")
        );
        self.rows(&sql).await
    }

    async fn rows<T: serde::de::DeserializeOwned>(&self, sql: &str) -> anyhow::Result<Vec<T>> {
        let rows =
            self.source.rows(sql).await.map_err(|reason| anyhow!("cannot read the table of reports: {reason}"))?;
        let typed = rows.into_iter().map(|row| serde_json::from_value(row.into())).collect::<Result<_, _>>();
        typed.context("the table of reports cannot be read")
    }

    /// Whether it was this process that published it.
    async fn produce(
        &self,
        schedule: &Schedule,
        timetable: &Timetable,
        due: &Due,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let request = Request {
            report: timetable.report,
            period: due.period.clone(),
            now,
            by: timetable.by.clone(),
            budgets: self.settings.budgets.clone(),
            good: self.settings.good_outcome.clone(),
            links: self.settings.links.clone(),
        };
        let page = produce(&self.source, &request).await?;
        self.publish(&schedule.name, &request, &page, Some(due.at)).await
    }

    /// Keeps the totals of a page. Whether this is what is kept of the name and period: `false` when there was one. A
    /// schedule has one time zone; what is published by hand is of the moments of its own.
    pub(crate) async fn publish(
        &self,
        name: &str,
        request: &Request,
        page: &Page,
        due_at: Option<DateTime<Utc>>,
    ) -> anyhow::Result<bool> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let (window, period) = (request.window(), request.period.to_string());
        let totals = page.totals.clone();
        let entry = Entry {
            event: "published",
            name,
            period: period.clone(),
            report: Some(request.report.name()),
            time_zone: Some(page.time_zone.clone()),
            since: Some(time(window.since)),
            until: Some(time(window.until)),
            due_at: due_at.map(time),
            calls: Some(totals.calls),
            unpriced_calls: Some(totals.unpriced_calls),
            cost_usd: totals.cost_usd.map(|amount| amount.to_string()),
            prices_version: totals.prices_version,
            page: Some(serde_json::to_string(page)?),
            ..Entry::default()
        };
        let app = match due_at {
            Some(_) => format!("report:{name}:{period}"),
            None => format!("report:{name}:{period}:{}/{}", time(window.since), time(window.until)),
        };
        self.keep(entry, app, 1).await
    }

    async fn keep(&self, entry: Entry<'_>, app: String, version: i64) -> anyhow::Result<bool> {
        let once = [Transaction { app, version }];
        Ok(matches!(keep(self.table()?, &[entry], &once, crate::clock::now()).await?, Commit::Landed(_)))
    }

    fn table(&self) -> anyhow::Result<&Arc<FactTable>> {
        self.lake.table(REPORTS.name).context("the lake has no table of reports")
    }

    async fn deliver(
        &self,
        schedule: &Schedule,
        period: &str,
        destination: &Destination,
        happened: &[Happened],
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<anyhow::Result<String>>> {
        let to = destination.name();
        let own = happened.iter().filter(|row| row.period == period && row.destination.as_deref() == Some(to));
        let steps =
            own.map(|row| Step { event: &row.event, attempt: row.attempt.unwrap_or_default(), at: row.recorded_at });
        let Delivery::Next(attempt) = delivery(steps, now) else { return Ok(None) };
        let entry = |event: &'static str, reason: Option<String>| Entry {
            event,
            name: &schedule.name,
            period: period.to_owned(),
            destination: Some(to),
            attempt: Some(attempt),
            reason,
            ..Entry::default()
        };
        let app = |what: &str| format!("report-{what}:{}:{period}:{to}", schedule.name);
        if !self.keep(entry("attempt", None), app("attempt"), attempt).await? {
            return Ok(None);
        }
        let what = format!("{} of {period} to {to}", schedule.name);
        let sent = match published_page(&self.source, &schedule.name, period, None).await {
            Ok(Some(page)) => self.send(&schedule.name, &page, destination).await,
            Ok(None) => Err(anyhow!("the table of reports has no such page")),
            Err(error) => Err(error.into()),
        };
        match sent {
            Ok(()) => {
                Counters::count(&self.counters.delivered);
                self.keep(entry("delivered", None), app("delivered"), 1).await?;
                Ok(Some(Ok(format!("delivered {what}"))))
            }
            Err(error) => {
                Counters::count(&self.counters.undelivered);
                self.keep(entry("failed", Some(format!("{error:#}"))), app("failed"), attempt).await?;
                Ok(Some(Err(error.context(format!("cannot deliver {what}")))))
            }
        }
    }
}

/// Does what is due, again and again.
pub(crate) async fn watch<A: RowSource>(desk: Desk<A>, stop: tokio_util::sync::CancellationToken) {
    loop {
        for told in desk.run_due(crate::clock::moment()).await {
            match told {
                Ok(told) => tracing::info!("{told}"),
                Err(error) => tracing::warn!("{error:#}"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(desk.settings.interval.get()) => {}
        }
    }
}

#[cfg(test)]
mod tests;
