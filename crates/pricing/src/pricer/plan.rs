//! What a call like this costs at any time: the outcome of finding its rules.

use std::fmt;
use std::sync::Arc;

use crate::amount::Amount;
use crate::catalogue::Source;
use crate::names;
use crate::pricer::tariff::{Charge, Tariff};
use crate::time::{Period, UnixNanos};
use crate::unit::Unit;
use crate::usage::{Kind, Kinds, Usage};

/// Why a call has no price. It is never priced at nothing instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unpriced {
    /// It names no model.
    NoModel,
    /// No catalogue has its provider.
    UnknownProvider,
    /// No catalogue has its model.
    UnknownModel,
    /// Its model is known, not a price for its service tier or for batches.
    NoTierRate,
    /// No rule was in force at its time.
    NoRuleInForce,
    /// It reports no tokens.
    NoUsage,
    /// It does not report a count that has a price.
    MissingCount(Kind),
    /// It used what its rule has no rate for.
    MissingRate(Kind),
    /// Part of what it used has a rate of its own, and nothing counts that part.
    UncountedPart(Unit),
    /// Parts with different rates overlap, cached and audio for instance, and nothing counts by how much.
    AmbiguousParts,
    /// Its parts exceed the whole.
    ContradictoryUsage,
    /// A count is negative or absurd.
    ImplausibleCount,
}

impl Unpriced {
    /// The reason as tables have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoModel => "no_model",
            Self::UnknownProvider => "unknown_provider",
            Self::UnknownModel => "unknown_model",
            Self::NoTierRate => "no_tier_rate",
            Self::NoRuleInForce => "no_rule_in_force",
            Self::NoUsage => "no_usage",
            Self::MissingCount(_) => "missing_count",
            Self::MissingRate(_) => "missing_rate",
            Self::UncountedPart(_) => "uncounted_part",
            Self::AmbiguousParts => "ambiguous_parts",
            Self::ContradictoryUsage => "contradictory_usage",
            Self::ImplausibleCount => "implausible_count",
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoModel => "it names no model",
            Self::UnknownProvider => "no price is for its provider",
            Self::UnknownModel => "no price is for its model",
            Self::NoTierRate => "its model has no price for its service tier, or for batches",
            Self::NoRuleInForce => "no price of its model was in force at its time",
            Self::NoUsage => "it reports no tokens",
            Self::MissingCount(_) => "it does not report this count, which has a price",
            Self::MissingRate(_) => "its price has no rate for this, which it used",
            Self::UncountedPart(_) => "this has a rate of its own, and nothing counts it",
            Self::AmbiguousParts => {
                "parts with rates of their own overlap, as cached and audio tokens may, and nothing counts by how much"
            }
            Self::ContradictoryUsage => "its parts are more than the whole",
            Self::ImplausibleCount => "a count is negative or absurd",
        }
    }
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingCount(kind) | Self::MissingRate(kind) => write!(f, "{}: {}", self.name(), kind.name()),
            Self::UncountedPart(unit) => write!(f, "{}: {}", self.name(), unit.name()),
            _ => f.write_str(self.name()),
        }
    }
}

/// Where a price comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The rule.
    pub rule: String,
    /// Where its catalogue comes from.
    pub source: Source,
    /// What its catalogue is.
    pub catalogue: String,
    /// The version of its catalogue.
    pub version: String,
    /// The currency of its amounts.
    pub currency: String,
    /// The service tier it is for: none is the standard one.
    pub service_tier: Option<String>,
    /// Whether it is for batches.
    pub batch: Option<bool>,
    /// Which of the call's names for its model led to it.
    pub model: NamedBy,
    /// How that name was read.
    pub reading: names::Reading,
}

/// Which of a call's two names for its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The one that answered.
    Response,
    /// The one asked for.
    Request,
}

/// One rule of a plan.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) period: Period,
    pub(crate) tariff: Arc<Tariff>,
    pub(crate) provenance: Provenance,
}

/// The rules for calls of one sort, the first that is in force deciding. Cheap to share, and to be kept for as long as
/// calls of that sort are priced.
#[derive(Debug)]
pub struct Plan {
    pub(crate) steps: Box<[Step]>,
    pub(crate) otherwise: Unpriced,
}

/// A price with the step that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The amounts.
    pub charge: Charge,
    /// The number of the step.
    pub step: usize,
}

/// How the counts of a call were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CountReading {
    /// Kinds in use that have no rate of their own and were charged as what they are part of.
    pub at_parents_rate: Kinds,
    /// Kinds with a rate of their own that were not reported, and so read as none.
    pub read_as_none: Kinds,
    /// The rule also charges for things that calls do not count, such as searches, which the amount leaves out.
    pub leaves_out_fees: bool,
}

impl CountReading {
    /// How it says that it [leaves out fees](Self::leaves_out_fees).
    pub const FEES_LEFT_OUT: &str = "fees for what is not counted left out";
}

impl fmt::Display for CountReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        for kind in self.at_parents_rate.iter() {
            let parent = kind.parent().map_or("its own", Kind::name);
            said.push(format!("{} at the rate of {parent}", kind.name()));
        }
        said.extend(self.read_as_none.iter().map(|kind| format!("{} not reported", kind.name())));
        if self.leaves_out_fees {
            said.push(Self::FEES_LEFT_OUT.to_owned());
        }
        f.write_str(&said.join("; "))
    }
}

impl Plan {
    /// The price of a call at a time.
    #[inline]
    pub fn price(&self, at: UnixNanos, usage: &Usage) -> Result<Quote, Unpriced> {
        let step = self.steps.iter().position(|step| step.period.covers(at)).ok_or(self.otherwise)?;
        Ok(Quote { charge: self.steps[step].tariff.charge(usage)?, step })
    }

    /// The total of the [`price`](Self::price) alone, which takes less, and where it comes from.
    #[inline]
    pub fn total(&self, at: UnixNanos, usage: &Usage) -> Result<(Amount, &Provenance), Unpriced> {
        let step = self.steps.iter().find(|step| step.period.covers(at)).ok_or(self.otherwise)?;
        Ok((step.tariff.total(usage)?, &step.provenance))
    }

    /// Where a quote of this plan comes from.
    #[must_use]
    pub fn provenance(&self, quote: &Quote) -> &Provenance {
        &self.steps[quote.step].provenance
    }

    /// How the counts behind a quote of this plan were read.
    #[must_use]
    pub fn reading(&self, quote: &Quote, usage: &Usage) -> CountReading {
        let tariff = &self.steps[quote.step].tariff;
        CountReading {
            at_parents_rate: tariff.at_parents_rate(usage),
            read_as_none: tariff.read_as_none(usage),
            leaves_out_fees: tariff.has_fees(),
        }
    }
}
