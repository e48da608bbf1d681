//! Reads the data of `genai-prices`, of which one release is built in.
//!
//! Numbers are taken from the text of the JSON, so no binary float stands between the catalogue and an amount. The
//! dated, hourly and request-specific prices of a model there shadow one another in order; here each becomes rules with
//! periods that exclude each other (see [`flatten`]), so that a row of the table `prices` says by itself when it holds.

mod flatten;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::catalogue::{Catalogue, Provider, Rule, Source};
use crate::matching::Match;
use crate::time::{Hours, UnixNanos, read_hours, read_moment};
use crate::unit::{BadRate, Rate, Unit};

/// The release of `genai-prices` that is built in.
pub const GENAI_PRICES_VERSION: &str = "0.2.1";

/// Its data, byte for byte as in the crate of that release (MIT licence, beside it).
const DATA: &str = include_str!("../../data/genai-prices.json");

/// Why data in the format of `genai-prices` cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum BadCatalogue {
    /// It is not JSON of that shape.
    #[error("not price data of genai-prices: {0}")]
    Json(#[from] serde_json::Error),
    /// A model's prices cannot be read.
    #[error("{provider}/{model}: {why}")]
    Model {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// What is wrong.
        why: BadPrices,
    },
}

/// What is wrong with the prices of a model.
#[derive(Debug, thiserror::Error)]
pub enum BadPrices {
    /// A price for something not known here.
    #[error("`{0}` is not a known price")]
    UnknownKey(String),
    /// A price that is no rate.
    #[error("{0}: {1}")]
    Rate(String, BadRate),
    /// A constraint that is neither a start date nor a window of the day in whole seconds.
    #[error("a constraint that is neither a start date nor a window of the day")]
    Constraint,
    /// Not the shape prices have.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct RawProvider<'a> {
    id: String,
    provider_match: Option<Match>,
    model_match: Option<Match>,
    #[serde(default)]
    fallback_model_providers: Vec<String>,
    #[serde(borrow)]
    models: Vec<RawModel<'a>>,
}

#[derive(Deserialize)]
struct RawModel<'a> {
    id: String,
    #[serde(rename = "match")]
    matches: Match,
    #[serde(borrow)]
    prices: &'a RawValue,
    #[serde(borrow, default)]
    price_variants: Vec<RawVariant<'a>>,
}

#[derive(Deserialize)]
struct RawConditional<'a> {
    constraint: Option<RawConstraint>,
    #[serde(borrow)]
    prices: RawPrices<'a>,
}

#[derive(Deserialize)]
struct RawVariant<'a> {
    when: BTreeMap<String, String>,
    constraint: Option<RawConstraint>,
    #[serde(borrow)]
    prices: RawPrices<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConstraint {
    start_date: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(rename = "type")]
    _type: Option<String>,
}

type RawPrices<'a> = BTreeMap<&'a str, &'a RawValue>;

#[derive(Deserialize)]
struct RawTiered<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
    #[serde(borrow)]
    tiers: Vec<RawTier<'a>>,
}

#[derive(Deserialize)]
struct RawTier<'a> {
    start: i64,
    #[serde(borrow)]
    price: &'a RawValue,
}

/// A price with what it becomes over sizes of the input, the smallest first.
#[derive(Clone, Debug, PartialEq)]
struct TieredRate {
    base: Rate,
    over: Vec<(i64, Rate)>,
}

type Prices = BTreeMap<Unit, TieredRate>;

/// When a price of a model holds, as the data has it: always, from a date on, or in hours of the day.
enum Constraint {
    Always,
    From(UnixNanos),
    Hours(Vec<Hours>),
}

struct Conditional {
    constraint: Constraint,
    prices: Prices,
}

struct Variant {
    when: BTreeMap<String, String>,
    constraint: Constraint,
    prices: Prices,
}

/// Reads a release of `genai-prices` from its JSON; `name` says which.
pub fn genai_prices(name: &str, json: &str) -> Result<Catalogue, BadCatalogue> {
    let raw: Vec<RawProvider<'_>> = serde_json::from_str(json)?;
    let mut providers = Vec::with_capacity(raw.len());
    let mut rules = Vec::new();
    for provider in raw {
        for model in &provider.models {
            let of_model = read_model(&provider.id, model).map_err(|why| BadCatalogue::Model {
                provider: provider.id.clone(),
                model: model.id.clone(),
                why,
            })?;
            rules.extend(of_model);
        }
        providers.push(Provider {
            id: provider.id,
            matches: provider.provider_match.map(Match::lowered),
            model_match: provider.model_match.map(Match::lowered),
            fallbacks: provider.fallback_model_providers,
        });
    }
    Ok(Catalogue::new(name.to_owned(), Source::Catalogue, providers, rules))
}

pub(crate) fn embedded() -> Result<Catalogue, BadCatalogue> {
    genai_prices(&format!("genai-prices {GENAI_PRICES_VERSION}"), DATA)
}

fn read_model(provider: &str, model: &RawModel<'_>) -> Result<Vec<Rule>, BadPrices> {
    let text = model.prices.get();
    let raw: Vec<RawConditional<'_>> = match text.starts_with('[') {
        true => serde_json::from_str(text)?,
        false => vec![RawConditional { constraint: None, prices: serde_json::from_str(text)? }],
    };
    let mut standard = Vec::with_capacity(raw.len());
    for one in &raw {
        let prices = read_prices(&one.prices)?;
        // A name that ends so is a promise of the provider; elsewhere no price only means that none is known.
        let prices = if prices.is_empty() && model.id.ends_with(":free") { free() } else { prices };
        standard.push(Conditional { constraint: read_constraint(one.constraint.as_ref())?, prices });
    }
    let mut variants = Vec::with_capacity(model.price_variants.len());
    for one in &model.price_variants {
        variants.push(Variant {
            when: one.when.clone(),
            constraint: read_constraint(one.constraint.as_ref())?,
            prices: read_prices(&one.prices)?,
        });
    }
    Ok(flatten::rules(provider, &model.id, &model.matches.clone().lowered(), &standard, &variants))
}

fn free() -> Prices {
    let nothing = |unit: Unit| Rate { price: crate::Amount::ZERO, per: unit.per() };
    ["input_tokens", "output_tokens"]
        .into_iter()
        .filter_map(Unit::named)
        .map(|unit| (unit, TieredRate { base: nothing(unit), over: Vec::new() }))
        .collect()
}

fn read_prices(raw: &RawPrices<'_>) -> Result<Prices, BadPrices> {
    let mut prices = Prices::new();
    for (key, value) in raw {
        let unit = Unit::of_price_key(key).ok_or_else(|| BadPrices::UnknownKey((*key).to_owned()))?;
        let rate = |value: &RawValue| {
            Rate::read(value.get(), unit.per()).map_err(|why| BadPrices::Rate((*key).to_owned(), why))
        };
        let text = value.get();
        let tiered = if text.starts_with('{') {
            let raw: RawTiered<'_> = serde_json::from_str(text)?;
            let mut over = Vec::with_capacity(raw.tiers.len());
            for tier in &raw.tiers {
                over.push((tier.start, rate(tier.price)?));
            }
            over.sort_by_key(|(start, _)| *start);
            TieredRate { base: rate(raw.base)?, over }
        } else if text == "null" {
            continue;
        } else {
            TieredRate { base: rate(value)?, over: Vec::new() }
        };
        prices.insert(unit, tiered);
    }
    Ok(prices)
}

fn read_constraint(raw: Option<&RawConstraint>) -> Result<Constraint, BadPrices> {
    let Some(raw) = raw else { return Ok(Constraint::Always) };
    let constraint = match (&raw.start_date, &raw.start_time, &raw.end_time) {
        (Some(date), None, None) => read_moment(date).map(Constraint::From),
        (None, Some(start), Some(end)) => match (start.strip_suffix('Z'), end.strip_suffix('Z')) {
            (Some(start), Some(end)) => read_hours(&format!("{start}-{end}")).map(Constraint::Hours),
            _ => None,
        },
        _ => None,
    };
    constraint.ok_or(BadPrices::Constraint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_is_read_whole() {
        let catalogue = embedded().expect("the embedded data");
        let models: std::collections::BTreeSet<_> =
            catalogue.rules().iter().map(|rule| (&rule.provider, &rule.model)).collect();
        // Counted in the JSON by another program.
        assert_eq!((catalogue.providers().len(), models.len()), (47, 2267));
        let ids: std::collections::BTreeSet<_> = catalogue.rules().iter().map(|rule| &rule.id).collect();
        assert_eq!(ids.len(), catalogue.rules().len(), "rule ids are unique");
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let model = |prices: &str| {
            let json = format!(r#"[{{"id":"p","models":[{{"id":"m","match":{{"equals":"m"}},"prices":{prices}}}]}}]"#);
            genai_prices("test", &json).map(|_| ()).map_err(|why| why.to_string())
        };
        assert_eq!(model(r#"{"input_mtok":1}"#), Ok(()));
        for (prices, reason) in [
            (r#"{"input_gtok":1}"#, "p/m: `input_gtok` is not a known price"),
            (r#"{"input_mtok":-1}"#, "p/m: input_mtok: the price `-1` is negative"),
            (r#"{"input_mtok":"1"}"#, "p/m: input_mtok: the price `\"1\"` is not a decimal number"),
            (
                r#"[{"prices":{}},{"constraint":{"start_time":"01:00:00"},"prices":{}}]"#,
                "p/m: a constraint that is neither a start date nor a window of the day",
            ),
        ] {
            assert_eq!(model(prices), Err(reason.to_owned()), "{prices}");
        }
        assert!(model(r#"[{"constraint":{"end_date":"2026-01-01"},"prices":{}}]"#).is_err());
    }
}
