//! The calls of each group in both periods, with what is needed to split the change.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tracewell_pricing::Amount;

use crate::ask::{Questions, Row, RowSource};
use crate::dimension::Dimension;
use crate::error::ReportError;
use crate::figures::{THIS, which};
use crate::money;
use crate::request::Request;
use crate::split::{Group, Side, Use};
use crate::sql::TRAFFIC;

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
    pub(crate) tiers: Vec<(Tier, Group)>,
    /// Whether calls of before, and of now, have no price: they are in neither side.
    pub(crate) unpriced: [bool; 2],
    /// Values of `release` and of `prompt_version` of now that were not there before.
    pub(crate) new_releases: Vec<String>,
    pub(crate) new_versions: Vec<String>,
}

impl Grouped {
    /// All its calls.
    pub(crate) fn sides(&self) -> Group {
        self.tiers.iter().map(|(_, sides)| *sides).sum()
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
    let mut sides = BTreeMap::<(Vec<Option<String>>, Tier), [Option<SideRow>; 2]>::new();
    for row in answer.rows {
        let names = dimensions.iter().map(|dimension| row.get(dimension.name)?.as_str().map(str::to_owned));
        let key = (names.collect(), TIER.map(|column| row.get(column).map(ToString::to_string)));
        let side = SideRow::deserialize(row)
            .map_err(|error| ReportError::Answer { query: title.to_owned(), reason: error.to_string() })?;
        let place = usize::from(side.period == THIS);
        sides.entry(key).or_default()[place] = Some(side);
    }
    let sides: Vec<_> = sides.into_iter().collect();
    // Users and sessions are many, and most have one tier: a map of tiers in each would take several times its room.
    let grouped = sides.chunk_by(|((one, _), _), ((other, _), _)| one == other).map(|tiers| {
        let of = |place: usize| tiers.iter().filter_map(move |(_, rows)| rows[place].as_ref());
        let new = |values: fn(&SideRow) -> &Vec<String>| -> Vec<String> {
            let old: BTreeSet<&String> = of(0).flat_map(values).collect();
            let now: BTreeSet<&String> = of(1).flat_map(values).collect();
            now.difference(&old).copied().cloned().collect()
        };
        let side = |row: &Option<SideRow>| row.as_ref().map(SideRow::side).unwrap_or_default();
        let sides = |[before, now]: &[Option<SideRow>; 2]| Group { before: side(before), now: side(now) };
        Grouped {
            names: tiers[0].0.0.clone(),
            tiers: tiers.iter().map(|((_, tier), rows)| (tier.clone(), sides(rows))).collect(),
            unpriced: [0, 1].map(|place| of(place).any(|row| row.unpriced_calls > 0)),
            new_releases: new(|row| &row.releases),
            new_versions: new(|row| &row.versions),
        }
    });
    Ok((answer.number, grouped.collect()))
}
