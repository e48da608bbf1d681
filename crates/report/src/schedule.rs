//! When reports, and other things, are due: cron expressions in a named time zone.
//!
//! A schedule is due at the moments of its expression, each time for the period that its `period` names then, which is
//! over: what is published of a period stays. Cron may be more frequent than the periods: each period is due once. What
//! has been produced is kept elsewhere.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use serde::{Deserialize, Serialize};

use crate::dimension::Dimension;
use crate::error::ReportError;
use crate::period::{Period, zone};
use crate::request::Report;

/// A report that is produced by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// What it is called; what was produced is kept under this name.
    pub name: String,
    /// cost, quality or leadership.
    pub report: String,
    /// When: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// Over what, seen from then: `yesterday`, `last-week`.
    pub period: String,
    /// The time zone of `cron` and of the period; that of all reports when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What costs are broken down by.
    #[serde(default = "usual_dimensions")]
    pub by: Vec<String>,
    /// The destinations it is sent to, by their names.
    #[serde(default)]
    pub deliver: Vec<String>,
}

fn usual_dimensions() -> Vec<String> {
    ["team", "prompt", "model"].map(str::to_owned).into()
}

/// A period whose report is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Since when.
    pub at: DateTime<Utc>,
    /// Over what.
    pub period: Period,
}

/// The moments of a cron expression in a named time zone.
#[derive(Clone, Debug)]
pub struct Moments {
    cron: Cron,
    zone: Tz,
}

impl Moments {
    /// Reads an expression: minute, hour, day of the month, month, day of the week.
    ///
    /// # Errors
    /// When it or the time zone cannot be read.
    pub fn parse(cron: &str, time_zone: &str) -> Result<Self, ReportError> {
        let read = Cron::from_str(cron).map_err(|error| {
            ReportError::Asked(format!("`{cron}` is no cron expression: {error}; write 0 7 * * MON"))
        })?;
        Ok(Self { cron: read, zone: zone(time_zone)? })
    }

    /// The last one up to `now`.
    #[must_use]
    pub fn last(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.before(now, true)
    }

    /// The first one after `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.after(now, false)
    }

    /// The first one after `at`, or at it.
    fn after(&self, at: DateTime<Utc>, inclusive: bool) -> Option<DateTime<Utc>> {
        let moment = self.cron.find_next_occurrence(&at.with_timezone(&self.zone), inclusive).ok()?;
        Some(moment.with_timezone(&Utc))
    }

    /// The last one before `at`, or at it.
    fn before(&self, at: DateTime<Utc>, inclusive: bool) -> Option<DateTime<Utc>> {
        let moment = self.cron.find_previous_occurrence(&at.with_timezone(&self.zone), inclusive).ok()?;
        Some(moment.with_timezone(&Utc))
    }
}

/// A schedule that was read.
#[derive(Clone, Debug)]
pub struct Timetable {
    /// Which report.
    pub report: Report,
    /// What costs are broken down by.
    pub by: Vec<Dimension>,
    moments: Moments,
    period: String,
}

impl Schedule {
    /// Reads the schedule; `usual_zone` is the time zone of those that name none.
    ///
    /// # Errors
    /// When the report, the expression, the time zone or the period cannot be read.
    pub fn timetable(&self, usual_zone: &str) -> Result<Timetable, ReportError> {
        let wrong = |error: ReportError| ReportError::Asked(format!("schedule `{}`: {error}", self.name));
        if self.name.parse::<Report>().is_ok() {
            let reason = "what is published by hand is kept under that name; call the schedule otherwise";
            return Err(wrong(ReportError::Asked(reason.to_owned())));
        }
        let moments = Moments::parse(&self.cron, self.time_zone.as_deref().unwrap_or(usual_zone)).map_err(wrong)?;
        let seen_from = |now| Period::parse(&self.period, moments.zone, now).ok();
        // Any two moments tell; this is not midnight anywhere.
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(727);
        let fault = match seen_from(now) {
            // What is named for itself is the same from everywhere.
            Some(period) if seen_from(DateTime::UNIX_EPOCH).as_ref() != Some(&period) => {
                (!period.is_over(now)).then_some("is not over when it is due, and what is published of a period stays")
            }
            _ => Some("is not seen from when it is due"),
        };
        if let Some(fault) = fault {
            let period = &self.period;
            return Err(wrong(ReportError::Asked(format!(
                "`{period}` {fault}; write yesterday, last-week, last-month"
            ))));
        }
        let by = Dimension::all_named(&self.by).map_err(wrong)?;
        Ok(Timetable { report: self.report.parse().map_err(wrong)?, by, moments, period: self.period.clone() })
    }
}

impl Timetable {
    /// What is due at `now`, the oldest first. `produced` holds the periods that were produced, and `since` is when the
    /// first of them was due; without one, only the newest period is due, not all that ever were.
    #[must_use]
    pub fn due(&self, produced: &BTreeSet<String>, since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Vec<Due> {
        let mut due: Vec<Due> = Vec::new();
        let mut moment = self.moments.last(now);
        while let Some(last) = moment.filter(|moment| since.is_none_or(|since| *moment >= since)) {
            let Ok(period) = Period::parse(&self.period, self.moments.zone, last) else { break };
            // It is due since the first moment at which it was over: all since then name it.
            let first = self.moments.after(period.window().until, true).map_or(last, |first| first.min(last));
            moment = self.moments.before(first, false);
            due.push(Due { at: first, period });
            if since.is_none() {
                break;
            }
        }
        due.retain(|due| !produced.contains(&due.period.to_string()));
        due.reverse();
        due
    }

    /// When it is due next.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.moments.next(now)
    }

    /// Its time zone.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.moments.zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().expect("it is RFC 3339")
    }

    fn schedule(cron: &str, period: &str) -> Schedule {
        let text = |text: &str| text.to_owned();
        Schedule {
            name: text("weekly"),
            report: text("cost"),
            cron: text(cron),
            period: text(period),
            time_zone: None,
            by: usual_dimensions(),
            deliver: Vec::new(),
        }
    }

    fn due(cron: &str, period: &str, produced: &[&str], since: Option<&str>, now: &str) -> Vec<String> {
        let table = schedule(cron, period).timetable("Europe/Berlin").expect("it can be read");
        let produced = produced.iter().map(|period| (*period).to_owned()).collect();
        let due = table.due(&produced, since.map(moment), moment(now));
        due.iter().map(|due| format!("{} {}", due.at.format("%m-%d %H:%M"), due.period)).collect()
    }

    #[test]
    fn a_new_schedule_is_due_for_the_newest_period_alone() {
        let monday = "0 7 * * MON";
        assert_eq!(due(monday, "last-week", &[], None, "2026-11-18T00:00:00Z"), ["11-16 06:00 2026-W46"]);
        // A moment before it is due, the week before is the newest.
        assert_eq!(due(monday, "last-week", &[], None, "2026-11-16T05:59:59Z"), ["11-09 06:00 2026-W45"]);
        assert_eq!(due(monday, "last-week", &[], None, "2026-11-16T06:00:00Z"), ["11-16 06:00 2026-W46"]);
    }

    #[test]
    fn missed_periods_are_caught_up_and_none_is_due_twice() {
        let missed =
            due("0 7 * * MON", "last-week", &["2026-W43"], Some("2026-10-26T06:00:00Z"), "2026-11-17T00:00:00Z");
        assert_eq!(missed, ["11-02 06:00 2026-W44", "11-09 06:00 2026-W45", "11-16 06:00 2026-W46"]);
        let gap = due(
            "0 7 * * MON",
            "last-week",
            &["2026-W43", "2026-W45", "2026-W46"],
            Some("2026-10-26T06:00:00Z"),
            "2026-11-17T00:00:00Z",
        );
        assert_eq!(gap, ["11-02 06:00 2026-W44"]);
        // Every hour of a week names the same one.
        let hourly = due("0 * * * *", "last-week", &["2026-W46"], Some("2026-11-15T23:00:00Z"), "2026-11-17T08:30:00Z");
        assert_eq!(hourly, Vec::<String>::new());
    }

    #[test]
    fn all_missed_periods_are_caught_up_however_often_the_moments_are() {
        // Every minute of 400 days; 2025 was no leap year.
        let since = "2025-01-01T23:00:00Z";
        let missed = due("* * * * *", "yesterday", &["2025-01-01"], Some(since), "2026-02-06T12:00:00Z");
        assert_eq!(missed.len(), 400);
        assert_eq!(
            (&*missed[0], &*missed[399]),
            ("01-02 23:00 2025-01-02", "02-05 23:00 2026-02-05"),
            "from midnight to midnight in Berlin"
        );
        // A moment in four years: 29 February.
        let rare = due("0 7 29 2 *", "last-month", &[], Some("2016-02-29T06:00:00Z"), "2026-11-17T00:00:00Z");
        assert_eq!(rare, ["02-29 06:00 2016-01", "02-29 06:00 2020-01", "02-29 06:00 2024-01"]);
    }

    #[test]
    fn clocks_that_change_neither_skip_nor_repeat_a_day() {
        // 02:30 does not exist on 29 March, and comes twice on 25 October, in Berlin.
        for (since, now, days) in [
            (
                "2026-03-27T00:00:00Z",
                "2026-03-31T12:00:00Z",
                ["2026-03-26", "2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30"],
            ),
            (
                "2026-10-23T00:00:00Z",
                "2026-10-27T12:00:00Z",
                ["2026-10-22", "2026-10-23", "2026-10-24", "2026-10-25", "2026-10-26"],
            ),
        ] {
            let found = due("30 2 * * *", "yesterday", &[], Some(since), now);
            let periods: Vec<&str> = found.iter().map(|due| due.rsplit(' ').next().unwrap_or_default()).collect();
            assert_eq!(periods, days, "{found:?}");
        }
    }

    #[test]
    fn a_schedule_that_cannot_be_meant_is_refused() {
        for (cron, period, told) in [
            ("every day", "last-week", "is no cron expression"),
            ("0 7 * * *", "2026-W46", "is not seen from when"),
            ("0 7 * * *", "2026-11", "is not seen from when"),
            ("0 7 * * *", "soon", "is not seen from when"),
            ("0 7 * * MON", "this-month", "is not over when it is due"),
            ("0 23 * * *", "today", "is not over when it is due"),
        ] {
            let error = schedule(cron, period).timetable("UTC").expect_err(cron).to_string();
            assert!(error.contains(told) && error.contains("`weekly`"), "{error}");
        }
        assert!(schedule("0 7 * * *", "yesterday").timetable("Europe/Nowhere").is_err());
        let named = Schedule { name: "cost".to_owned(), ..schedule("0 7 * * *", "yesterday") };
        assert!(named.timetable("UTC").unwrap_err().to_string().contains("kept under that name"));
    }
}
