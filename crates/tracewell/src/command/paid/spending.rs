//! What calls cost, and how much of a ceiling is left.

use tracewell_blocks::counted;
use tracewell_pricing::Amount;
use tracewell_query::prices::Prices;
use tracewell_regression::candidate::{Request, wire};

use super::call::Outcome;

/// What was spent, and what calls under way may spend.
pub(crate) struct Spending {
    most: Option<Amount>,
    /// By earlier commands.
    before: Amount,
    spent: Amount,
    under_way: Amount,
    /// What the dearest call cost: what the next one may.
    dearest: Amount,
    unpriced: usize,
}

/// What a call cost; `None` where it has no price.
pub(super) fn cost(prices: &Prices, kind: wire::Kind, request: &Request, answered: &Outcome) -> Option<Amount> {
    let route = tracewell_pricing::Route {
        provider: Some(kind.provider()),
        response_model: answered.response.model.as_deref(),
        request_model: Some(&request.model),
        service_tier: answered.response.service_tier.as_deref(),
        ..tracewell_pricing::Route::default()
    };
    let used = answered.response.usage;
    let usage = tracewell_pricing::Usage {
        input_tokens: used.input,
        output_tokens: used.output,
        cache_read_tokens: used.cache_read,
        cache_write_tokens: used.cache_write,
        reasoning_tokens: used.reasoning,
        ..tracewell_pricing::Usage::default()
    };
    let quote = prices.pricer().price(&route, answered.end, &usage).ok()?;
    Some(quote.charge.total)
}

impl Spending {
    /// Nothing is spent yet, of `most` where there is a ceiling.
    pub(crate) fn new(most: Option<Amount>) -> Self {
        Self {
            most,
            before: Amount::ZERO,
            spent: Amount::ZERO,
            under_way: Amount::ZERO,
            dearest: Amount::ZERO,
            unpriced: 0,
        }
    }

    /// Takes note of a call that was paid for earlier.
    pub(super) fn paid_before(&mut self, cost: Option<Amount>) {
        match cost {
            Some(cost) => {
                self.before += cost;
                self.dearest = self.dearest.max(cost);
            }
            None => self.unpriced += 1,
        }
    }

    /// Sets money aside for a call; `None` where there is not enough left, or with a ceiling after a call without a price.
    pub(super) fn begin(&mut self) -> Option<Amount> {
        let estimate = self.dearest;
        if let Some(most) = self.most {
            let spent = self.before.units() + self.spent.units();
            let units = spent + self.under_way.units() + estimate.units();
            if units > most.units() || self.unpriced > 0 || spent >= most.units() {
                return None;
            }
        }
        self.under_way += estimate;
        Some(estimate)
    }

    /// Puts in place of what was set aside what the call cost, if it was answered.
    pub(super) fn end(&mut self, estimate: Amount, cost: Option<Option<Amount>>) {
        self.under_way = Amount::from_units(self.under_way.units() - estimate.units());
        match cost {
            Some(Some(cost)) => {
                self.spent += cost;
                self.dearest = self.dearest.max(cost);
            }
            Some(None) => self.unpriced += 1,
            None => {}
        }
    }
}

impl std::fmt::Display for Spending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} USD", self.spent)?;
        if self.before != Amount::ZERO {
            write!(f, ", {} USD before", self.before)?;
        }
        if self.unpriced > 0 {
            write!(f, " and {} without a price", counted(self.unpriced as u64, "call", "calls"))?;
        }
        Ok(())
    }
}
