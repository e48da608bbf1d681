//! The query of a rule.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tracewell_pricing::Amount;

use super::{Limit, Measure};
use crate::error::ReportError;
use crate::period::{Window, weeks_before};
use crate::sql::{OF_RUNS, TRAFFIC, moment, quoted, trial_runs};

/// What a rule asks, and when its answer is too much.
#[derive(Clone, Debug)]
pub struct Question {
    /// What it is called.
    pub name: String,
    /// What is measured.
    pub measure: Measure,
    /// The query of [`Measure::Sql`]; `$since` and `$until` stand for the window.
    pub sql: String,
    /// A condition on rows of `span_costs` that narrows the measures of ours: to those calls, and to scores of runs with
    /// such calls.
    pub filter: String,
    /// The score of [`Measure::ScoreDrop`]; the one that dropped most when empty.
    pub score: String,
    /// How far back it looks.
    pub window: TimeDelta,
    /// What [`Measure::Budget`] is a part of, in US dollars.
    pub allowed: Amount,
    /// When the answer is too much.
    pub limit: Limit,
    /// Whose clocks say which hours of the week are the same.
    pub zone: Tz,
}

/// Weeks that an anomaly is told from.
const WEEKS: i64 = 8;
/// How far back missing data is looked for at most: a year.
const MOST_MINUTES: f64 = 366.0 * 24.0 * 60.0;
/// Rows whose runs are looked at for those that a firing names: a run may have several.
const ROWS: usize = 100;

impl Question {
    /// The query that gives `value`, `samples` and `runs`.
    ///
    /// # Errors
    /// When a measure of SQL has none.
    pub fn query(&self, now: DateTime<Utc>) -> Result<String, ReportError> {
        let window = Window { since: now - self.window, until: now };
        let filter = if self.filter.is_empty() { "true" } else { &self.filter };
        let of_calls = |value: &str, behind: &str, worst: &str| {
            format!(
                "SELECT
    {value} AS value,
    count(*) AS samples,
    array_slice(array_agg(trace_id ORDER BY {worst}) FILTER (WHERE trace_id IS NOT NULL AND {behind}), 1, {ROWS}) AS runs
FROM (
    SELECT *, extract(epoch FROM end_time - start_time) * 1000 AS duration_ms FROM span_costs
) AS calls
WHERE {condition} AND {traffic} AND ({filter})",
                // A budget limits what is paid, and trials are paid too.
                traffic = if self.measure == Measure::Budget { "true" } else { TRAFFIC },
                condition = window.condition("start_time"),
            )
        };
        Ok(match self.measure {
            Measure::Cost => of_calls("CAST(sum(cost_usd) AS double)", "cost_usd IS NOT NULL", "cost_usd DESC"),
            // Of a stretch of the calendar that began without a call nothing is spent.
            Measure::Budget => of_calls(
                &format!(
                    "CASE WHEN count(*) = 0 THEN CAST(0 AS double) ELSE CAST(sum(cost_usd) AS double) / {} END",
                    self.allowed
                ),
                "cost_usd IS NOT NULL",
                "cost_usd DESC",
            ),
            Measure::ErrorRate => of_calls(
                "1.0 * count(*) FILTER (WHERE status = 'error') / nullif(count(*), 0)",
                "status = 'error'",
                "start_time DESC",
            ),
            Measure::Latency => of_calls(
                "percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)",
                "duration_ms IS NOT NULL",
                "duration_ms DESC",
            ),
            Measure::UnpricedShare => of_calls(
                "1.0 * count(*) FILTER (WHERE cost_usd IS NULL) / nullif(count(*), 0)",
                "cost_usd IS NULL",
                "start_time DESC",
            ),
            Measure::ScoreDrop => self.score_drop(window),
            Measure::MissingData => self.missing_data(now),
            Measure::CostAnomaly => {
                self.anomaly(window, "CAST(sum(cost_usd) AS double)", "cost_usd IS NOT NULL", "cost_usd DESC", filter)
            }
            Measure::ErrorAnomaly => self.anomaly(
                window,
                "CAST(count(*) FILTER (WHERE status = 'error') AS double)",
                "status = 'error'",
                "start_time DESC",
                filter,
            ),
            Measure::TrafficAnomaly => {
                self.anomaly(window, "CAST(count(*) AS double)", "true", "start_time DESC", filter)
            }
            Measure::Sql if self.sql.trim().is_empty() => {
                return Err(ReportError::Asked(format!("alert rule `{}`: the measure `sql` needs `sql`", self.name)));
            }
            Measure::Sql => self.sql.replace("$since", &moment(window.since)).replace("$until", &moment(window.until)),
        })
    }

    /// Minutes since the last span, or since the last call that the filter keeps. When there is none as far back as it
    /// looks, it is as long ago as that at least; when there never was a span, nothing is known.
    fn missing_data(&self, now: DateTime<Utc>) -> String {
        // Far enough behind the threshold that what is too much is seen.
        let minutes = (2.0 * self.limit.threshold).clamp(0.0, MOST_MINUTES);
        let back = self.window.max(TimeDelta::minutes(minutes as i64 + 1));
        let (rows, kept) = match &*self.filter {
            "" => ("spans", "NOT coalesce(array_has(flags, 'trial'), false)".to_owned()),
            filter => ("span_costs", format!("{TRAFFIC} AND ({filter})")),
        };
        format!(
            "SELECT
    CASE
        WHEN latest IS NOT NULL THEN extract(epoch FROM {until} - latest) / 60
        WHEN spans_ever > 0 THEN {minutes}
    END AS value
FROM (SELECT max(start_time) AS latest FROM {rows} WHERE {condition} AND {kept}) AS recent
CROSS JOIN (SELECT count(*) AS spans_ever FROM (SELECT trace_id FROM spans LIMIT 1) AS one) AS ever",
            until = moment(now),
            minutes = back.num_minutes(),
            condition = Window { since: now - back, until: now }.condition("start_time"),
        )
    }

    /// The mean of the window against that of the one before; the runs with the lowest scores. Scores of one name and
    /// source are on one scale: of several, the one tells that dropped most of those with enough samples.
    fn score_drop(&self, window: Window) -> String {
        let both = Window { since: window.since - self.window, ..window };
        let begin = moment(window.since);
        let named = match &*self.score {
            "" => String::new(),
            score => format!(" AND said.name = {}", quoted(score)),
        };
        let of_calls = match &*self.filter {
            "" => String::new(),
            filter => format!(
                "
    JOIN (
        SELECT DISTINCT tenant, trace_id
        FROM span_costs
        WHERE date BETWEEN DATE '{}' AND DATE '{}' AND ({filter})
    ) AS kept ON kept.tenant = said.tenant AND kept.trace_id = said.trace_id",
                (both.since - TimeDelta::weeks(1)).date_naive(),
                both.until.date_naive()
            ),
        };
        format!(
            "SELECT about, value, samples, runs
FROM (
    SELECT
        concat_ws(' by ', said.name, said.source) AS about,
        avg(said.value) FILTER (WHERE time < {begin}) - avg(said.value) FILTER (WHERE time >= {begin}) AS value,
        least(count(*) FILTER (WHERE time < {begin}), count(*) FILTER (WHERE time >= {begin})) AS samples,
        array_slice(array_agg(said.trace_id ORDER BY said.value) FILTER (WHERE time >= {begin} AND said.trace_id IS NOT NULL), 1, {ROWS}) AS runs
    FROM evaluations AS said
    LEFT JOIN {trials} AS trials ON trials.tenant = said.tenant AND trials.trace_id = said.trace_id{of_calls}
    WHERE {condition} AND superseded_at IS NULL AND said.value IS NOT NULL AND {OF_RUNS} AND trials.trace_id IS NULL{named}
    GROUP BY said.name, said.source
) AS drops
ORDER BY samples >= {minimum} DESC, value {most} NULLS LAST, about
LIMIT 1",
            trials = trial_runs(both),
            condition = both.condition("time"),
            minimum = self.limit.minimum,
            most = if self.limit.below { "ASC" } else { "DESC" },
        )
    }

    /// The window against the same hours of the same weekday by local clocks: how many deviations it is off, of which
    /// each is taken for at least a tenth of the mean, so that what hardly ever varies raises no alarm over a trifle. A
    /// week without calls counts where there were calls before it.
    fn anomaly(&self, window: Window, value: &str, behind: &str, worst: &str, filter: &str) -> String {
        let sign = if self.measure == Measure::TrafficAnomaly { "abs" } else { "" };
        let condition = |back: i64| {
            let since = weeks_before(window.since, back, self.zone);
            let condition = Window { since, until: since + self.window }.condition("start_time");
            format!("{condition} AND {TRAFFIC}")
        };
        let weeks = (0..=WEEKS).map(|back| {
            format!("    SELECT {back} AS week, {value} AS value, count(*) AS calls\n    FROM span_costs\n    WHERE {} AND ({filter})", condition(back))
        });
        format!(
            "SELECT
    {sign}(max(value) FILTER (WHERE week = 0) - avg(value) FILTER (WHERE is_known))
        / greatest(stddev_samp(value) FILTER (WHERE is_known), 0.1 * avg(value) FILTER (WHERE is_known),
            CAST(1e-9 AS double))
        AS value,
    count(*) FILTER (WHERE is_known) AS samples,
    (SELECT array_slice(array_agg(trace_id ORDER BY {worst}) FILTER (WHERE trace_id IS NOT NULL AND {behind}), 1, {ROWS})
     FROM span_costs WHERE {} AND ({filter})) AS runs
FROM (
    SELECT
        week,
        CASE WHEN calls = 0 THEN CAST(0 AS double) ELSE value END AS value,
        week > 0 AND week <= max(CASE WHEN calls > 0 THEN week END) OVER () AS is_known
    FROM (
{}
    ) AS weeks
) AS weeks",
            condition(0),
            weeks.collect::<Vec<_>>().join("\n    UNION ALL\n")
        )
    }
}
