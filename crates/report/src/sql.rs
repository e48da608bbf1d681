//! Pieces of the queries: literals and conditions.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::period::Window;

/// `text` as a literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The condition that a call or a run is traffic, and no trial of a replay or a test harness.
pub(crate) const TRAFFIC: &str = "is_trial IS NOT TRUE";

/// The condition that a score is of what a run did, and not of a document that it found.
pub(crate) const OF_RUNS: &str = "target <> 'document'";

/// The runs that are trials, for what is told in `window` of runs that began in it or in the week before.
pub(crate) fn trial_runs(window: Window) -> String {
    format!(
        "(SELECT DISTINCT tenant, trace_id FROM trace_parts WHERE is_trial AND date BETWEEN DATE '{}' AND DATE '{}')",
        (window.since - TimeDelta::weeks(1)).date_naive(),
        window.until.date_naive()
    )
}

/// A moment as a literal.
pub(crate) fn moment(time: DateTime<Utc>) -> String {
    format!("CAST('{}' AS timestamptz)", time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

impl Window {
    /// The condition that `time` is in it, for rows whose `date` is the UTC day of that.
    pub(crate) fn condition(self, time: &str) -> String {
        let Self { since, until } = self;
        let last = (until - TimeDelta::microseconds(1)).max(since).date_naive();
        format!(
            "date BETWEEN DATE '{}' AND DATE '{last}' AND {time} >= {} AND {time} < {}",
            since.date_naive(),
            moment(since),
            moment(until)
        )
    }

    /// The condition that a row is of its dates or of the week behind, in which what began in it goes on.
    pub(crate) fn dates_and_a_week(self) -> String {
        let last = (self.until + TimeDelta::weeks(1)).date_naive();
        format!("date BETWEEN DATE '{}' AND DATE '{last}'", self.since.date_naive())
    }

    /// The condition that `time` is in this or in `before`, which begins earlier.
    pub(crate) fn condition_with(self, before: Self, time: &str) -> String {
        let whole = Self { since: before.since, until: self.until }.condition(time);
        if before.until >= self.since {
            return whole;
        }
        format!("{whole} AND ({time} < {} OR {time} >= {})", moment(before.until), moment(self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(since: &str, until: &str) -> Window {
        Window { since: since.parse().expect("a moment"), until: until.parse().expect("a moment") }
    }

    #[test]
    fn a_window_ends_before_its_last_moment() {
        let day = window("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z");
        assert_eq!(
            day.condition("time"),
            "date BETWEEN DATE '2026-11-20' AND DATE '2026-11-20' AND time >= CAST('2026-11-20T00:00:00Z' AS timestamptz) \
             AND time < CAST('2026-11-21T00:00:00Z' AS timestamptz)"
        );
        let before = window("2026-11-19T00:00:00Z", "2026-11-19T12:00:00Z");
        let both = day.condition_with(before, "time");
        assert!(both.starts_with("date BETWEEN DATE '2026-11-19' AND DATE '2026-11-20'"), "{both}");
        assert!(both.ends_with("AND (time < CAST('2026-11-19T12:00:00Z' AS timestamptz) OR time >= CAST('2026-11-20T00:00:00Z' AS timestamptz))"), "{both}");
    }

    #[test]
    fn a_quote_in_a_text_does_not_end_it() {
        assert_eq!(quoted("o'hara"), "'o''hara'");
    }
}
