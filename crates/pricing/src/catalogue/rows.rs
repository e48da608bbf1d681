//! A catalogue as flat rows, for the table `prices`, and back.
//!
//! A row holds one rate of one rule for one size of the input, with all that the rule says, so that a row can be read
//! alone. The rows of a version hold all that the catalogue is: [`Catalogue::from_rows`] gives it back and checks it
//! against its version.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, ContextTier, Provider, Rule, Source};
use crate::matching::Match;
use crate::time::{Period, UnixNanos, read_hours};
use crate::unit::{BadRate, Rate, Unit};

/// One rate of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PriceRow {
    /// What the catalogue is: a file, or a data set with its release.
    pub catalogue: String,
    /// The version of the catalogue: a hash of its content.
    pub version: String,
    /// `operator`, `litellm` or `catalogue`.
    pub source: String,
    /// Place of the row in the catalogue.
    pub ordinal: i64,
    /// The provider's id in the catalogue, or a pattern for `provider`.
    pub provider: Option<String>,
    /// JSON of the condition on other names of the provider.
    pub provider_match: Option<String>,
    /// JSON of the condition on models that are the provider's where a call names none.
    pub provider_model_match: Option<String>,
    /// JSON list of the providers whose models it serves at their prices.
    pub provider_fallbacks: Option<String>,
    /// The rule; NULL for a provider without models.
    pub rule: Option<String>,
    /// What the catalogue calls the model.
    pub model: Option<String>,
    /// JSON of the condition on the model's name.
    pub model_match: Option<String>,
    /// Only for this tenant.
    pub tenant: Option<String>,
    /// Only for this environment.
    pub environment: Option<String>,
    /// The service tier; NULL is the standard one.
    pub service_tier: Option<String>,
    /// Whether it is for batches; NULL is for either.
    pub batch: Option<bool>,
    /// A further condition that calls do not tell about; such a rule never prices a call.
    pub condition: Option<String>,
    /// In force from this moment, in nanoseconds since 1970; NULL is always before.
    pub valid_from: Option<UnixNanos>,
    /// In force up to and without this moment; NULL is for good.
    pub valid_to: Option<UnixNanos>,
    /// Only in these windows of the UTC day; NULL is all day.
    pub hours: Option<String>,
    /// ISO 4217 code of the currency.
    pub currency: Option<String>,
    /// For calls with more input tokens than this.
    pub context_over: Option<i64>,
    /// What the price is for; NULL where the catalogue has the model and no price.
    pub unit: Option<String>,
    /// The price, an exact decimal.
    pub price: Option<String>,
    /// For how many of the unit.
    pub per: Option<i64>,
}

/// Why rows do not give a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum BadRows {
    /// There are none.
    #[error("no rows")]
    None,
    /// They are of different catalogues or versions.
    #[error("row {0} is of another catalogue or version")]
    Mixed(i64),
    /// A row lacks something or has it wrong.
    #[error("row {0}: {1} is missing or wrong")]
    Column(i64, &'static str),
    /// A row's rate cannot be taken.
    #[error("row {0}: {1}")]
    Rate(i64, BadRate),
    /// They are not all rows of their version, or were changed.
    #[error("the rows of version {expected} have the content of {found}")]
    Version {
        /// What the rows say.
        expected: String,
        /// What they are.
        found: String,
    },
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("conditions and lists of names are JSON")
}

impl Catalogue {
    /// Its rows, in order.
    #[must_use]
    pub fn rows(&self) -> Vec<PriceRow> {
        let mut rows: Vec<PriceRow> = Vec::new();
        let mut rules = self.rules.iter().peekable();
        for provider in &self.providers {
            let head = self.head(Some(provider));
            let before = rows.len();
            while let Some(rule) = rules.next_if(|rule| rule.provider.as_deref() == Some(&provider.id)) {
                rows.extend(rule_rows(&head, rule));
            }
            if rows.len() == before {
                rows.push(head);
            }
        }
        let head = self.head(None);
        rows.extend(rules.flat_map(|rule| rule_rows(&head, rule)));
        for (ordinal, row) in (0..).zip(&mut rows) {
            row.ordinal = ordinal;
        }
        rows
    }

    fn head(&self, provider: Option<&Provider>) -> PriceRow {
        PriceRow {
            catalogue: self.name.clone(),
            version: self.version.clone(),
            source: self.source.name().to_owned(),
            provider: provider.map(|provider| provider.id.clone()),
            provider_match: provider.and_then(|provider| provider.matches.as_ref()).map(json),
            provider_model_match: provider.and_then(|provider| provider.model_match.as_ref()).map(json),
            provider_fallbacks: provider.map(|provider| json(&provider.fallbacks)),
            ..PriceRow::default()
        }
    }

    /// The catalogue that `rows` are all the rows of.
    pub fn from_rows(mut rows: Vec<PriceRow>) -> Result<Self, BadRows> {
        rows.sort_by_key(|row| row.ordinal);
        let first = rows.first().ok_or(BadRows::None)?.clone();
        let source = Source::named(&first.source).ok_or(BadRows::Column(first.ordinal, "source"))?;
        let (mut providers, mut rules) = (Vec::<Provider>::new(), Vec::<Rule>::new());
        for row in &rows {
            if (&row.catalogue, &row.version, &row.source) != (&first.catalogue, &first.version, &first.source) {
                return Err(BadRows::Mixed(row.ordinal));
            }
            if let Some(provider) = read_provider(row)?
                && providers.last().is_none_or(|last| last.id != provider.id)
            {
                providers.push(provider);
            }
            let Some(id) = &row.rule else { continue };
            if rules.last().is_none_or(|last| last.id != *id) {
                rules.push(read_rule(row, id)?);
            }
            if let Some(rule) = rules.last_mut() {
                add_rate(rule, row)?;
            }
        }
        let catalogue = Self::new(first.catalogue, source, providers, rules);
        if catalogue.version == first.version {
            Ok(catalogue)
        } else {
            Err(BadRows::Version { expected: first.version, found: catalogue.version })
        }
    }
}

/// A hash of the rows but for what names them.
pub(super) fn version(catalogue: &Catalogue) -> String {
    let mut hash = blake3::Hasher::new();
    for row in catalogue.rows() {
        let content = PriceRow { catalogue: String::new(), version: String::new(), ..row };
        hash.update(json(&content).as_bytes());
        hash.update(b"\n");
    }
    hash.finalize().to_hex()[..16].to_owned()
}

fn rule_rows(head: &PriceRow, rule: &Rule) -> Vec<PriceRow> {
    let of_rule = PriceRow {
        provider: rule.provider.clone(),
        rule: Some(rule.id.clone()),
        model: Some(rule.model.clone()),
        model_match: Some(json(&rule.matches)),
        tenant: rule.tenant.clone(),
        environment: rule.environment.clone(),
        service_tier: rule.service_tier.clone(),
        batch: rule.batch,
        condition: rule.condition.clone(),
        valid_from: rule.period.from,
        valid_to: rule.period.to,
        hours: rule.period.hours_text(),
        currency: Some(rule.currency.clone()),
        ..head.clone()
    };
    let mut rows = Vec::new();
    for tier in &rule.tiers {
        let of_tier = PriceRow { context_over: Some(tier.over), ..of_rule.clone() };
        if tier.rates.is_empty() {
            rows.push(of_tier.clone());
        }
        rows.extend(tier.rates.iter().map(|(unit, rate)| PriceRow {
            unit: Some(unit.name().to_owned()),
            price: Some(rate.price.to_string()),
            per: i64::try_from(rate.per).ok(),
            ..of_tier.clone()
        }));
    }
    rows
}

fn read_provider(row: &PriceRow) -> Result<Option<Provider>, BadRows> {
    let Some(fallbacks) = &row.provider_fallbacks else { return Ok(None) };
    let column = |name| BadRows::Column(row.ordinal, name);
    let condition = |text: &Option<String>, name| match text {
        Some(text) => serde_json::from_str(text).map(Some).map_err(|_| column(name)),
        None => Ok(None),
    };
    Ok(Some(Provider {
        id: row.provider.clone().ok_or_else(|| column("provider"))?,
        matches: condition(&row.provider_match, "provider_match")?,
        model_match: condition(&row.provider_model_match, "provider_model_match")?,
        fallbacks: serde_json::from_str(fallbacks).map_err(|_| column("provider_fallbacks"))?,
    }))
}

fn read_rule(row: &PriceRow, id: &str) -> Result<Rule, BadRows> {
    let column = |name| BadRows::Column(row.ordinal, name);
    let matches: &str = row.model_match.as_deref().ok_or_else(|| column("model_match"))?;
    let hours = match &row.hours {
        Some(text) => read_hours(text).ok_or_else(|| column("hours"))?,
        None => Vec::new(),
    };
    Ok(Rule {
        id: id.to_owned(),
        provider: row.provider.clone(),
        model: row.model.clone().ok_or_else(|| column("model"))?,
        matches: serde_json::from_str::<Match>(matches).map_err(|_| column("model_match"))?,
        tenant: row.tenant.clone(),
        environment: row.environment.clone(),
        service_tier: row.service_tier.clone(),
        batch: row.batch,
        condition: row.condition.clone(),
        period: Period { from: row.valid_from, to: row.valid_to, hours },
        currency: row.currency.clone().ok_or_else(|| column("currency"))?,
        tiers: Vec::new(),
    })
}

fn add_rate(rule: &mut Rule, row: &PriceRow) -> Result<(), BadRows> {
    let column = |name| BadRows::Column(row.ordinal, name);
    let over = row.context_over.ok_or_else(|| column("context_over"))?;
    if rule.tiers.last().is_none_or(|tier| tier.over != over) {
        rule.tiers.push(ContextTier { over, rates: Default::default() });
    }
    let Some(unit) = &row.unit else { return Ok(()) };
    let unit = Unit::named(unit).ok_or_else(|| column("unit"))?;
    let price = row.price.as_deref().ok_or_else(|| column("price"))?;
    let per = row.per.and_then(|per| u64::try_from(per).ok()).filter(|per| *per > 0).ok_or_else(|| column("per"))?;
    let rate = Rate::read(price, per).map_err(|why| BadRows::Rate(row.ordinal, why))?;
    if let Some(tier) = rule.tiers.last_mut() {
        tier.rates.insert(unit, rate);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_version_give_it_back() {
        let built_in = Catalogue::built_in();
        let mut rows = built_in.rows();
        // A table gives them in any order.
        rows.reverse();
        assert_eq!(Catalogue::from_rows(rows).expect("its rows"), *built_in);
    }

    #[test]
    fn rows_that_were_changed_or_lost_are_found_out() {
        let rows = Catalogue::built_in().rows();
        let changed = |change: fn(&mut Vec<PriceRow>)| {
            let mut rows = rows.clone();
            change(&mut rows);
            Catalogue::from_rows(rows).map(|_| ()).map_err(|why| why.to_string())
        };
        assert_eq!(changed(|_| ()), Ok(()));
        assert_eq!(changed(Vec::clear), Err("no rows".to_owned()));
        let lost = changed(|rows| drop(rows.remove(1_000)));
        assert!(lost.is_err_and(|why| why.starts_with("the rows of version ")));
        let dearer = changed(|rows| rows[10].price = Some("999".to_owned()));
        assert!(dearer.is_err_and(|why| why.starts_with("the rows of version ")));
        assert_eq!(
            changed(|rows| rows[7].version.push('x')),
            Err("row 7 is of another catalogue or version".to_owned())
        );
        assert_eq!(
            changed(|rows| rows[7].price = Some("-1".to_owned())),
            Err("row 7: the price `-1` is negative".to_owned())
        );
        assert_eq!(
            changed(|rows| rows[7].unit = Some("ells".to_owned())),
            Err("row 7: unit is missing or wrong".to_owned())
        );
    }
}
