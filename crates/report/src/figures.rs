//! Figures that several reports show, each by one query over both periods.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracewell_pricing::Amount;

use crate::ask::{Answer, Questions, Row, RowSource};
use crate::dimension::Dimension;
use crate::error::ReportError;
use crate::money;
use crate::request::Request;
use crate::split::{Group, Side, Use};
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

const THIS: &str = "this";

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

/// Columns of `span_costs` that tell apart the rates a model has at one time: for flex, batches, long contexts.
const TIER: [&str; 2] = ["price_tier", "price_context_over"];

/// The values of [`TIER`], as JSON.
pub(crate) type Tier = [Option<String>; TIER.len()];

/// The calls of one team, prompt and model, or of what else they are told apart by.
#[derive(Clone, Debug)]
pub(crate) struct Grouped {
    /// The values of the dimensions.
    pub(crate) names: Vec<Option<String>>,
    /// Its calls by the tier of prices that they go by: rates of one tier differ where prices changed, and only there.
    pub(crate) tiers: BTreeMap<Tier, Group>,
    /// Whether calls of before, and of now, have no price: they are in neither side.
    pub(crate) unpriced: [bool; 2],
    /// Values of `release` and of `prompt_version` of now that were not there before.
    pub(crate) new_releases: Vec<String>,
    pub(crate) new_versions: Vec<String>,
}

impl Grouped {
    /// All its calls.
    pub(crate) fn sides(&self) -> Group {
        self.tiers.values().copied().sum()
    }

    /// What it cost before, and now; `None` where it has calls, and none of them a price.
    pub(crate) fn costs(&self) -> [Option<Amount>; 2] {
        let Group { before, now } = self.sides();
        let [unpriced_before, unpriced_now] = self.unpriced;
        [(before, unpriced_before), (now, unpriced_now)]
            .map(|(side, unpriced)| (side.calls > 0 || !unpriced).then_some(side.cost))
    }
}

#[derive(Deserialize)]
struct SideRow {
    period: String,
    calls: i64,
    unpriced_calls: i64,
    #[serde(default, deserialize_with = "money::read")]
    cost_usd: Option<Amount>,
    fresh_tokens: Option<i64>,
    read_tokens: Option<i64>,
    written_tokens: Option<i64>,
    output_tokens: Option<i64>,
    #[serde(default, deserialize_with = "money::read")]
    fresh_usd: Option<Amount>,
    #[serde(default, deserialize_with = "money::read")]
    read_usd: Option<Amount>,
    #[serde(default, deserialize_with = "money::read")]
    written_usd: Option<Amount>,
    #[serde(default, deserialize_with = "money::read")]
    output_usd: Option<Amount>,
    #[serde(default)]
    releases: Vec<String>,
    #[serde(default)]
    versions: Vec<String>,
}

impl SideRow {
    fn side(&self) -> Side {
        let part = |tokens: Option<i64>, cost: Option<Amount>| Use {
            tokens: tokens.unwrap_or_default(),
            cost: cost.unwrap_or_default(),
        };
        Side {
            calls: self.calls,
            cost: self.cost_usd.unwrap_or_default(),
            input: [
                part(self.fresh_tokens, self.fresh_usd),
                part(self.read_tokens, self.read_usd),
                part(self.written_tokens, self.written_usd),
            ],
            output: part(self.output_tokens, self.output_usd),
        }
    }
}

/// What `dimensions` tell apart, with what is needed to split the change. Calls without a price are only counted.
pub(crate) async fn groups<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
    dimensions: &[Dimension],
) -> Result<(usize, Vec<Grouped>), ReportError> {
    let part = |names: &[&str]| {
        let parts = names.iter().map(|name| format!("coalesce(cost_parts['{name}'], 0)"));
        parts.collect::<Vec<_>>().join(" + ")
    };
    let sql = format!(
        "SELECT
    {columns},
    {tier},
    {which} AS period,
    count(cost_usd) AS calls,
    count(*) - count(cost_usd) AS unpriced_calls,
    sum(cost_usd) AS cost_usd,
    sum(input_tokens - coalesce(cache_read_tokens, 0) - coalesce(cache_write_tokens, 0)) {priced}) AS fresh_tokens,
    sum(cache_read_tokens) {priced}) AS read_tokens,
    sum(cache_write_tokens) {priced}) AS written_tokens,
    sum(output_tokens) {priced}) AS output_tokens,
    sum({fresh}) {priced}) AS fresh_usd,
    sum({read}) {priced}) AS read_usd,
    sum({written}) {priced}) AS written_usd,
    sum({output}) {priced}) AS output_usd,
    array_agg(DISTINCT release) {priced} AND release IS NOT NULL) AS releases,
    array_agg(DISTINCT prompt_version) {priced} AND prompt_version IS NOT NULL) AS versions
FROM span_costs
WHERE {both}
    AND {TRAFFIC}
GROUP BY {numbers}",
        columns = Request::columns(dimensions),
        tier = TIER.join(", "),
        which = which(request),
        priced = "FILTER (WHERE cost_usd IS NOT NULL",
        fresh = part(&["input", "audio_input", "image_input"]),
        read = part(&["cache_read"]),
        written = part(&["cache_write", "cache_write_5m", "cache_write_1h"]),
        output = part(&["output", "reasoning", "audio_output", "image_output"]),
        both = request.both(),
        numbers =
            (1..=dimensions.len() + TIER.len() + 1).map(|number| number.to_string()).collect::<Vec<_>>().join(", "),
    );
    let title = "Priced calls by group, with tokens and cost of each kind";
    let answer = questions.ask::<Row>(title, sql).await?;
    let mut groups = BTreeMap::<Vec<Option<String>>, BTreeMap<Tier, [Option<SideRow>; 2]>>::new();
    for row in answer.rows {
        let names = dimensions.iter().map(|dimension| row.get(dimension.name)?.as_str().map(str::to_owned));
        let names = names.collect();
        let tier = TIER.map(|column| row.get(column).map(ToString::to_string));
        let side = SideRow::deserialize(row)
            .map_err(|error| ReportError::Answer { query: title.to_owned(), reason: error.to_string() })?;
        let place = usize::from(side.period == THIS);
        groups.entry(names).or_default().entry(tier).or_default()[place] = Some(side);
    }
    let grouped = groups.into_iter().map(|(names, tiers)| {
        let of = |place: usize| tiers.values().filter_map(move |sides| sides[place].as_ref());
        let new = |values: fn(&SideRow) -> &Vec<String>| -> Vec<String> {
            let old: BTreeSet<&String> = of(0).flat_map(values).collect();
            let now: BTreeSet<&String> = of(1).flat_map(values).collect();
            now.difference(&old).copied().cloned().collect()
        };
        let side = |row: &Option<SideRow>| row.as_ref().map(SideRow::side).unwrap_or_default();
        let sides = |[before, now]: &[Option<SideRow>; 2]| Group { before: side(before), now: side(now) };
        Grouped {
            names,
            tiers: tiers.iter().map(|(tier, rows)| (tier.clone(), sides(rows))).collect(),
            unpriced: [0, 1].map(|place| of(place).any(|row| row.unpriced_calls > 0)),
            new_releases: new(|row| &row.releases),
            new_versions: new(|row| &row.versions),
        }
    });
    Ok((answer.number, grouped.collect()))
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
