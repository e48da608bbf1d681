//! Figures that several reports show, each by one query over both periods.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracewell_pricing::Amount;

use crate::ask::{Answer, Questions, RowSource};
use crate::error::ReportError;
use crate::money;
use crate::request::Request;
use crate::sql::{TRAFFIC, moment};

/// The sums of a period.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Totals {
    pub(crate) calls: i64,
    pub(crate) priced_calls: i64,
    #[serde(deserialize_with = "money::read")]
    pub(crate) cost_usd: Option<Amount>,
    #[serde(deserialize_with = "money::read")]
    pub(crate) saved_usd: Option<Amount>,
    /// Of calls in traces: some calls only log records tell of, in no trace.
    #[serde(deserialize_with = "money::read")]
    pub(crate) trace_cost_usd: Option<Amount>,
    #[serde(deserialize_with = "money::read")]
    pub(crate) session_cost_usd: Option<Amount>,
    pub(crate) sessions: i64,
    #[serde(deserialize_with = "money::read")]
    pub(crate) user_cost_usd: Option<Amount>,
    pub(crate) users: i64,
    /// Calls with a price whose application reports what they cost, and those of them where the two differ.
    pub(crate) reported_calls: i64,
    pub(crate) differing_calls: i64,
    /// What is reported of those, and how far it is from the prices: too much and too little do not cancel out.
    #[serde(deserialize_with = "money::read")]
    pub(crate) reported_usd: Option<Amount>,
    #[serde(deserialize_with = "money::read")]
    pub(crate) apart_usd: Option<Amount>,
}

/// Something of this period and of the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Both<T> {
    /// The query that gave it.
    pub(crate) query: usize,
    pub(crate) now: T,
    pub(crate) before: T,
}

/// A row of a query over both periods.
#[derive(Deserialize)]
pub(crate) struct OfPeriod<T> {
    pub(crate) period: String,
    #[serde(flatten)]
    pub(crate) figures: T,
}

impl<T> Both<T> {
    /// The figures of the period that a row names.
    pub(crate) fn of(&mut self, period: &str) -> &mut T {
        if period == THIS { &mut self.now } else { &mut self.before }
    }
}

impl<T: Default + DeserializeOwned> Both<T> {
    /// What `sql` finds of both, a row each, of which `period` says which it is of (see [`which`]).
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        title: &str,
        sql: String,
    ) -> Result<Self, ReportError> {
        let answer = questions.ask::<OfPeriod<T>>(title, sql).await?;
        let mut both = Self { query: answer.number, ..Self::default() };
        for OfPeriod { period, figures } in answer.rows {
            *both.of(&period) = figures;
        }
        Ok(both)
    }
}

pub(crate) const THIS: &str = "this";

/// The expression that says of which period a row is.
pub(crate) fn which(request: &Request) -> String {
    format!("CASE WHEN start_time >= {} THEN '{THIS}' ELSE 'before' END", moment(request.window().since))
}

/// From this share of the larger on, a reported and a computed cost differ.
pub(crate) const APART: f64 = 0.05;

/// The condition that the reported and the computed cost of a call differ, by [`APART`].
pub(crate) const DIFFERS: &str =
    "abs(cost_difference_usd) > CAST(0.05 AS double) * greatest(abs(cost_usd), abs(reported_cost_usd))";

impl Totals {
    pub(crate) fn unpriced(&self) -> i64 {
        self.calls - self.priced_calls
    }
}

pub(crate) async fn totals<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
) -> Result<Both<Totals>, ReportError> {
    let sql = format!(
        "SELECT
    {which} AS period,
    count(*) AS calls,
    count(cost_usd) AS priced_calls,
    sum(cost_usd) AS cost_usd,
    sum(uncached_cost_usd - cost_usd) AS saved_usd,
    sum(cost_usd) FILTER (WHERE trace_id IS NOT NULL) AS trace_cost_usd,
    -- Per session and per user: the priced calls that name one, and how many they name.
    sum(cost_usd) FILTER (WHERE conversation_id IS NOT NULL) AS session_cost_usd,
    count(DISTINCT tenant || chr(31) || conversation_id) FILTER (WHERE cost_usd IS NOT NULL) AS sessions,
    sum(cost_usd) FILTER (WHERE user_id IS NOT NULL) AS user_cost_usd,
    count(DISTINCT tenant || chr(31) || user_id) FILTER (WHERE cost_usd IS NOT NULL) AS users,
    count(cost_difference_usd) AS reported_calls,
    count(*) FILTER (WHERE {DIFFERS}) AS differing_calls,
    sum(reported_cost_usd) FILTER (WHERE cost_usd IS NOT NULL) AS reported_usd,
    sum(abs(cost_difference_usd)) AS apart_usd
FROM span_costs
WHERE {both}
    AND {TRAFFIC}
GROUP BY 1",
        which = which(request),
        both = request.both(),
    );
    Both::ask(questions, "Calls and what they cost in all", sql).await
}

/// What trials of replays and test harnesses used: money that is spent, on no traffic.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Trials {
    pub(crate) runs: i64,
    pub(crate) calls: i64,
    pub(crate) unpriced_calls: i64,
    #[serde(deserialize_with = "money::read")]
    pub(crate) cost_usd: Option<Amount>,
}

pub(crate) async fn trials<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
) -> Result<Both<Trials>, ReportError> {
    let sql = format!(
        "SELECT
    {which} AS period,
    count(DISTINCT tenant || chr(31) || trace_id) AS runs,
    count(*) AS calls,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
    sum(cost_usd) AS cost_usd
FROM span_costs
WHERE {both}
    AND is_trial
GROUP BY 1",
        which = which(request),
        both = request.both(),
    );
    Both::ask(questions, "Trials of replays and test harnesses, which no other figure counts", sql).await
}

/// What the calls of one step of time cost.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    /// A local date, or the moment at which the hour begins.
    pub(crate) step: String,
    #[serde(default)]
    pub(crate) calls: i64,
    #[serde(default, deserialize_with = "money::read")]
    pub(crate) cost_usd: Option<Amount>,
}

/// The expression for the beginning of an hour of `start_time`, where hours are counted from `midnight`: in some time
/// zones it is at half or a quarter past an hour of UTC.
pub(crate) fn hour_of(midnight: DateTime<Utc>) -> String {
    match midnight.timestamp().rem_euclid(3600) {
        0 => "date_trunc('hour', start_time)".to_owned(),
        past => format!("date_trunc('hour', start_time - INTERVAL '{past} seconds') + INTERVAL '{past} seconds'"),
    }
}

/// Cost by local day; by hour where the period is a day.
pub(crate) async fn steps<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
    condition: &str,
) -> Result<Answer<Step>, ReportError> {
    let (title, step) = if request.period.noun() == "day" {
        ("Cost by hour", hour_of(request.window().since))
    } else {
        let zone = request.period.zone().name();
        ("Cost by day", format!("CAST(start_time AT TIME ZONE '{zone}' AS date)"))
    };
    let sql = format!(
        "SELECT
    {step} AS step,
    count(*) AS calls,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
    sum(cost_usd) AS cost_usd
FROM span_costs
WHERE {condition}
    AND {TRAFFIC}
GROUP BY 1
ORDER BY 1"
    );
    questions.ask(title, sql).await
}

/// Calls without a price, by the reason.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Unpriced {
    pub(crate) unpriced_reason: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) calls: i64,
    pub(crate) failed: i64,
    /// What their applications say that they cost.
    #[serde(deserialize_with = "money::read")]
    pub(crate) reported_cost_usd: Option<Amount>,
}

/// Rows of these.
pub(crate) const MOST_REASONS: usize = 20;

pub(crate) async fn unpriced<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
) -> Result<Answer<Unpriced>, ReportError> {
    let sql = format!(
        "SELECT
    unpriced_reason, provider, model,
    count(*) AS calls,
    count(*) FILTER (WHERE status = 'error') AS failed,
    sum(reported_cost_usd) AS reported_cost_usd
FROM span_costs
WHERE {}
    AND {TRAFFIC}
    AND cost_usd IS NULL
GROUP BY unpriced_reason, provider, model
ORDER BY calls DESC, unpriced_reason, provider, model
LIMIT {MOST_REASONS}",
        request.window().condition("start_time")
    );
    questions.ask("Calls without a price, and why", sql).await
}
