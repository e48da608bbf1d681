//! Imports LiteLLM's price list (`model_prices_and_context_window.json`).
//!
//! The list names a price by what it is for, with the size of the input and the service tier at the end of the name:
//! `input_cost_per_token_above_272k_tokens_priority`. Prices are for one token, often written as `1.25e-07`.
//!
//! It has no dates, so an import says itself from when it holds. For a service tier or batches it gives only some
//! prices; the others stay the standard ones, as LiteLLM charges them.

mod key;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::amount::Amount;
use crate::catalogue::{Catalogue, ContextTier, Rule, Source};
use crate::matching::Match;
use crate::names;
use crate::time::{Period, UnixNanos};
use crate::unit::{BadRate, Rate, Role, Unit};
use key::Key;

/// A catalogue made of LiteLLM's price list, and what of the list is not in it.
#[derive(Debug)]
pub struct Import {
    /// The catalogue.
    pub catalogue: Catalogue,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

/// A price that was not taken: nothing here counts what it is for, or can say when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The model.
    pub model: String,
    /// The name of the price.
    pub key: String,
}

/// Why a price list of LiteLLM is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadImport {
    /// It is not JSON of that shape.
    #[error("not a price list of LiteLLM: {0}")]
    Json(#[from] serde_json::Error),
    /// A price that is no rate.
    #[error("{model}: `{key}`: {why}")]
    Rate {
        /// The model.
        model: String,
        /// The name of the price.
        key: String,
        /// What is wrong with it.
        why: BadRate,
    },
}

/// An entry that explains the format.
const SAMPLE: &str = "sample_spec";

/// Prices for hours of some days of the week. No period here is of days of the week, and the other prices of such a
/// model would be wrong in those hours, so that it is left out whole.
const OFF_PEAK: &str = "off_peak_pricing";

/// Providers who charge the higher price from the size on, not only above it, as LiteLLM has it.
const FROM_THE_SIZE_ON: [&str; 1] = ["xai"];

/// An earlier name of a price, and the later one that goes before it.
const OLD_CACHE_READ: (&str, &str) = ("input_cost_per_token_cache_hit", "cache_read_input_token_cost");

type Rates = BTreeMap<Unit, Rate>;

/// The prices of a model by service tier (none: standard) and by size of the input.
type Prices = BTreeMap<Option<String>, BTreeMap<i64, Rates>>;

/// Reads LiteLLM's price list; `name` says which, and it holds from `from` on, always where that is none.
pub fn litellm(name: &str, json: &str, from: Option<UnixNanos>) -> Result<Import, BadImport> {
    let models: BTreeMap<String, BTreeMap<String, &RawValue>> = serde_json::from_str(json)?;
    let (mut rules, mut left_out) = (Vec::new(), Vec::new());
    for (model, entry) in models.iter().filter(|(model, _)| *model != SAMPLE) {
        if entry.contains_key(OFF_PEAK) {
            left_out.push(LeftOut { model: model.clone(), key: OFF_PEAK.to_owned() });
            continue;
        }
        let mut reader = Reader { model, entry, prices: Prices::new(), left_out: &mut left_out };
        reader.read()?;
        let prices = without_placeholders(reader.prices);
        rules.extend(rules_of(model, &text(entry, "litellm_provider"), &prices, from));
    }
    Ok(Import { catalogue: Catalogue::new(name.to_owned(), Source::Litellm, Vec::new(), rules), left_out })
}

fn text(entry: &BTreeMap<String, &RawValue>, key: &str) -> String {
    entry.get(key).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

struct Reader<'r> {
    model: &'r str,
    entry: &'r BTreeMap<String, &'r RawValue>,
    prices: Prices,
    left_out: &'r mut Vec<LeftOut>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), BadImport> {
        let inclusive = FROM_THE_SIZE_ON.contains(&text(self.entry, "litellm_provider").as_str());
        for (name, value) in self.entry {
            match Key::read(name) {
                Some(_) if name == OLD_CACHE_READ.0 && self.entry.contains_key(OLD_CACHE_READ.1) => {}
                Some(key) => {
                    let over = if inclusive && key.over > 0 { key.over - 1 } else { key.over };
                    self.take(name, Key { over, ..key }, value)?;
                }
                None if name == "tiered_pricing" => self.take_ranges(value)?,
                None if ["cost", "pricing", "uplift"].iter().any(|word| name.contains(word)) => self.leave_out(name),
                None => {}
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, key: &str) {
        self.left_out.push(LeftOut { model: self.model.to_owned(), key: key.to_owned() });
    }

    fn take(&mut self, name: &str, key: Key, value: &RawValue) -> Result<(), BadImport> {
        let Some(number) = key.number(value.get()) else {
            if value.get() != "null" {
                self.leave_out(name);
            }
            return Ok(());
        };
        let rate = Rate::read(&number, 1).map_err(|why| BadImport::Rate {
            model: self.model.to_owned(),
            key: name.to_owned(),
            why,
        })?;
        self.prices.entry(key.tier).or_default().entry(key.over).or_default().insert(key.unit, rate);
        Ok(())
    }

    /// Prices by ranges of the size of the input.
    fn take_ranges(&mut self, value: &RawValue) -> Result<(), BadImport> {
        let ranges: Vec<BTreeMap<String, &RawValue>> = serde_json::from_str(value.get())?;
        for range in ranges {
            let bounds: Option<Vec<&RawValue>> =
                range.get("range").and_then(|bounds| serde_json::from_str(bounds.get()).ok());
            let start = bounds.and_then(|bounds| whole(bounds.first()?.get()));
            for (name, value) in range.iter().filter(|(name, _)| name.contains("cost")) {
                match (start, Key::read(name)) {
                    (Some(over), Some(key)) => self.take(name, Key { over, ..key }, value)?,
                    _ => self.leave_out(&format!("tiered_pricing.{name}")),
                }
            }
        }
        Ok(())
    }
}

fn whole(number: &str) -> Option<i64> {
    let one = 10i128.pow(Amount::SCALE);
    let units = number.parse::<Amount>().ok()?.units();
    (units % one == 0).then(|| i64::try_from(units / one).ok()).flatten()
}

/// Takes away prices of 0 for tokens where images, seconds or pages are what is charged: the list fills them in.
fn without_placeholders(mut prices: Prices) -> Prices {
    let rates = || prices.values().flat_map(BTreeMap::values).flatten();
    let is_fee = |unit: &Unit| matches!(unit.role(), Role::Fee | Role::AudioTime);
    let charged = rates().any(|(unit, rate)| is_fee(unit) && rate.price > Amount::ZERO);
    let tokens_free = rates().all(|(unit, rate)| is_fee(unit) || rate.price == Amount::ZERO);
    if charged && tokens_free {
        for rates in prices.values_mut().flat_map(BTreeMap::values_mut) {
            rates.retain(|unit, _| is_fee(unit));
        }
    }
    prices
}

fn rules_of(model: &str, provider: &str, prices: &Prices, from: Option<UnixNanos>) -> Vec<Rule> {
    let none = BTreeMap::new();
    let standard = prices.get(&None).unwrap_or(&none);
    let rules = prices.keys().map(|tier| {
        let own = tier.as_ref().map(|_| &prices[tier]);
        let batch = tier.as_deref() == Some("batches");
        let service_tier = tier.clone().filter(|_| !batch);
        let suffix = match (&service_tier, batch) {
            (Some(tier), _) => format!("+{tier}"),
            (None, true) => "+batch".to_owned(),
            (None, false) => String::new(),
        };
        Rule {
            id: format!("{model}{suffix}"),
            provider: (!provider.is_empty()).then(|| names::of_litellm_provider(provider).to_lowercase()),
            model: model.to_owned(),
            matches: names_of(model, provider),
            tenant: None,
            environment: None,
            service_tier,
            batch: Some(batch),
            condition: None,
            period: Period { from, ..Period::default() },
            currency: "USD".to_owned(),
            tiers: tiers(standard, own),
        }
    });
    rules.collect()
}

/// The list's name of a model, also without the provider before it.
fn names_of(model: &str, provider: &str) -> Match {
    let full = Match::Equals(model.to_lowercase());
    match model.split_once('/') {
        Some((prefix, rest)) if names::of_litellm_provider(prefix) == names::of_litellm_provider(provider) => {
            Match::AnyOf(vec![full, Match::Equals(rest.to_lowercase())])
        }
        _ => full,
    }
}

/// The rates of a tier (none: standard) by size of the input.
fn tiers(standard: &BTreeMap<i64, Rates>, own: Option<&BTreeMap<i64, Rates>>) -> Vec<ContextTier> {
    let mut sizes: Vec<i64> = standard.keys().chain(own.into_iter().flat_map(BTreeMap::keys)).copied().collect();
    sizes.push(0);
    sizes.sort_unstable();
    sizes.dedup();
    let at = |over| {
        let mut rates = rates_at(standard, over);
        if let Some(own) = own {
            let own = rates_at(own, over);
            let redundant: Vec<Unit> = rates.keys().copied().filter(|unit| is_parents(&rates, *unit)).collect();
            rates.retain(|unit, _| !redundant.contains(unit));
            rates.extend(own);
        }
        rates
    };
    sizes.into_iter().map(|over| ContextTier { over, rates: at(over) }).collect()
}

/// The rates for input over a size: those of the largest sizes up to it.
fn rates_at(by_size: &BTreeMap<i64, Rates>, over: i64) -> Rates {
    by_size.range(..=over).flat_map(|(_, rates)| rates.iter().map(|(unit, rate)| (*unit, *rate))).collect()
}

/// Whether a rate is only its parent's again, so that a tier that changes the parent's changes it too.
fn is_parents(rates: &Rates, unit: Unit) -> bool {
    let parent = match unit.role() {
        Role::Counted(kind) => kind.parent().map(Unit::of),
        _ => None,
    };
    parent.is_some_and(|parent| rates.get(&parent) == rates.get(&unit))
}

#[cfg(test)]
mod tests;
