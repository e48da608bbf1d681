//! Pieces of the queries: literals and conditions.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::error::ReportError;
use crate::period::Window;
use crate::request::Request;

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

/// The last words with a value on runs and what is in them, since the beginning of what is compared with. A score that
/// names a response alone is of the call that got it; nothing is looked for where there is no such score.
pub(crate) fn judgements(request: &Request) -> String {
    let said = format!(
        "superseded_at IS NULL AND value IS NOT NULL AND date >= DATE '{}' AND {OF_RUNS}",
        request.before().since.date_naive()
    );
    format!(
        "(
    SELECT tenant, target, trace_id, span_id, name, source, value
    FROM evaluations
    WHERE {said} AND trace_id IS NOT NULL
    UNION ALL
    SELECT e.tenant, e.target, c.trace_id, c.span_id, e.name, e.source, e.value
    FROM (
        SELECT tenant, target, response_id, name, source, value
        FROM evaluations
        WHERE {said} AND trace_id IS NULL AND response_id IS NOT NULL
    ) AS e
    JOIN (
        SELECT tenant, response_id, trace_id, span_id FROM llm_calls WHERE {both}
    ) AS c ON c.tenant = e.tenant AND c.response_id = e.response_id
)",
        both = request.both(),
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

/// What costs are broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// What people call it.
    pub name: &'static str,
    /// The column of `span_costs`.
    pub(crate) column: &'static str,
}

const DIMENSIONS: [Dimension; 13] = [
    Dimension { name: "team", column: "team" },
    Dimension { name: "prompt", column: "prompt_name" },
    Dimension { name: "prompt_version", column: "prompt_version" },
    Dimension { name: "model", column: "model" },
    Dimension { name: "provider", column: "provider" },
    Dimension { name: "service", column: "service" },
    Dimension { name: "environment", column: "environment" },
    Dimension { name: "release", column: "release" },
    Dimension { name: "agent", column: "agent_name" },
    Dimension { name: "workflow", column: "workflow_name" },
    Dimension { name: "user", column: "user_id" },
    Dimension { name: "session", column: "conversation_id" },
    Dimension { name: "tenant", column: "tenant" },
];

impl Dimension {
    /// The dimensions of those names.
    ///
    /// # Errors
    /// When there is none of a name, or one comes twice.
    pub fn all_named(names: &[impl AsRef<str>]) -> Result<Vec<Self>, ReportError> {
        let mut found: Vec<Self> = Vec::new();
        for name in names {
            let dimension = Self::named(name.as_ref())?;
            if found.contains(&dimension) {
                return Err(ReportError::Asked(format!(
                    "costs cannot be broken down by `{}` twice; name it once",
                    dimension.name
                )));
            }
            found.push(dimension);
        }
        Ok(found)
    }

    /// The dimension of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, ReportError> {
        DIMENSIONS.into_iter().find(|dimension| dimension.name == name).ok_or_else(|| {
            let known = DIMENSIONS.map(|dimension| dimension.name).join(", ");
            ReportError::Asked(format!("costs cannot be broken down by `{name}`; there are {known}"))
        })
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
    fn only_known_dimensions_come_into_sql() {
        assert_eq!(Dimension::named("prompt").expect("it is one").column, "prompt_name");
        let told = Dimension::named("team; DROP").expect_err("it is none").to_string();
        assert!(told.contains("prompt_version"), "{told}");
        let told = Dimension::all_named(&["team", "model", "team"]).expect_err("one comes twice").to_string();
        assert!(told.contains("`team` twice"), "{told}");
        assert_eq!(quoted("o'hara"), "'o''hara'");
    }
}
