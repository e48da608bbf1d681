//! Prices calls by the catalogues given to it.
//!
//! Finding the rules for a call compares names; it is done once for each distinct [`Route`] and kept as a [`Plan`]. What
//! is left for each call is the rule in force at its time and a dozen integer products.
//!
//! Which rule prices a call:
//! 1. The operator's rules go before imports, and imports before the built-in catalogue, each where it has a rule in
//!    force at the time of the call.
//! 2. Among the operator's: a rule for the tenant, then one for the environment, then the one that says more of the
//!    provider's name, then of the model's, then one that names its service tier; then the one in force from a later
//!    date, then the later in the file.
//! 3. The model that answered goes before the one asked for, and a name as sent before one from which a prefix or a
//!    date was taken.
//!
//! Where a call names no provider, its model's name tells it: `azure/gpt-4o` by what stands before the slash, `gpt-4o`
//! by the built-in catalogue, which knows whose models are named so.

mod find;
mod plan;
mod tariff;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

pub use plan::{CountReading, NamedBy, Plan, Provenance, Quote, Unpriced};
pub use tariff::{Charge, MAX_COUNT};

use crate::catalogue::Catalogue;
use crate::time::UnixNanos;
use crate::usage::Usage;
use find::{Found, Index, Wanted};
use plan::Step;
use tariff::Tariff;

/// Plans kept; calls of more sorts than this are found anew each time, so that hostile names do not fill memory.
const MAX_PLANS: usize = 65_536;

/// What of a call, besides its time and its counts, its price hangs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Route<'a> {
    /// The provider by its OpenTelemetry name.
    pub provider: Option<&'a str>,
    /// The model that answered.
    pub response_model: Option<&'a str>,
    /// The model asked for.
    pub request_model: Option<&'a str>,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The environment.
    pub environment: Option<&'a str>,
    /// The service tier of the response, else of the request.
    pub service_tier: Option<&'a str>,
    /// Whether it was part of a batch.
    pub batch: bool,
}

struct Layer {
    catalogue: Arc<Catalogue>,
    index: Index,
    tariffs: Vec<Arc<Tariff>>,
}

/// Catalogues made ready to price calls.
pub struct Pricer {
    layers: Vec<Layer>,
    plans: RwLock<HashMap<String, Arc<Plan>>>,
}

impl Pricer {
    /// A pricer of these catalogues; those of one source in the order given.
    #[must_use]
    pub fn new(mut catalogues: Vec<Arc<Catalogue>>) -> Self {
        catalogues.sort_by_key(|catalogue| catalogue.source());
        let layer = |catalogue: Arc<Catalogue>| Layer {
            index: Index::new(&catalogue),
            tariffs: catalogue.rules().iter().map(|rule| Arc::new(Tariff::new(rule))).collect(),
            catalogue,
        };
        Self { layers: catalogues.into_iter().map(layer).collect(), plans: RwLock::default() }
    }

    /// The catalogues, in the order in which they price.
    pub fn catalogues(&self) -> impl Iterator<Item = &Catalogue> {
        self.layers.iter().map(|layer| &*layer.catalogue)
    }

    /// The rules for calls of one sort.
    #[must_use]
    pub fn plan(&self, route: &Route<'_>) -> Arc<Plan> {
        let key = key(route);
        if let Some(plan) = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(self.find(route));
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() < MAX_PLANS {
            plans.insert(key, Arc::clone(&plan));
        }
        plan
    }

    /// The price of one call. For many, keep the [`Plan`] of each route.
    pub fn price(&self, route: &Route<'_>, at: UnixNanos, usage: &Usage) -> Result<Quote, Unpriced> {
        self.plan(route).price(at, usage)
    }

    fn find(&self, route: &Route<'_>) -> Plan {
        let wanted = Wanted::new(route);
        if !wanted.has_model() {
            return Plan { steps: Box::default(), otherwise: Unpriced::NoModel };
        }
        let told = self.told_provider(&wanted);
        let told = Wanted::new(&Route { provider: told.as_deref().or(route.provider), ..*route });
        let mut steps = Vec::new();
        let mut otherwise = Unpriced::UnknownModel;
        for layer in &self.layers {
            // A catalogue with providers finds the provider itself.
            let wanted = if layer.catalogue.providers().is_empty() { &told } else { &wanted };
            match layer.index.find(&layer.catalogue, wanted) {
                Ok(found) => steps.extend(found.iter().map(|found| layer.step(found))),
                Err(Unpriced::UnknownModel) => {}
                Err(_) if otherwise == Unpriced::NoTierRate => {}
                Err(why) => otherwise = why,
            }
        }
        if !steps.is_empty() {
            otherwise = Unpriced::NoRuleInForce;
        }
        Plan { steps: steps.into(), otherwise }
    }

    /// The provider of a call that names none.
    fn told_provider(&self, wanted: &Wanted<'_>) -> Option<String> {
        let catalogue = self.catalogues().find(|catalogue| !catalogue.providers().is_empty());
        catalogue.filter(|_| !wanted.names_provider()).and_then(|catalogue| wanted.told_provider(catalogue))
    }
}

impl Layer {
    fn step(&self, found: &Found) -> Step {
        let rule = &self.catalogue.rules()[found.rule];
        Step {
            period: rule.period.clone(),
            tariff: Arc::clone(&self.tariffs[found.rule]),
            provenance: Provenance {
                rule: rule.id.clone(),
                source: self.catalogue.source(),
                catalogue: self.catalogue.name().to_owned(),
                version: self.catalogue.version().to_owned(),
                currency: rule.currency.clone(),
                service_tier: rule.service_tier.clone(),
                batch: rule.batch,
                model: found.model,
                reading: found.reading,
            },
        }
    }
}

/// One text for each route: its parts with their lengths, so that no two routes share one.
fn key(route: &Route<'_>) -> String {
    let mut key = String::from(if route.batch { "b" } else { "" });
    let parts = [
        route.provider,
        route.response_model,
        route.request_model,
        route.tenant,
        route.environment,
        route.service_tier,
    ];
    for part in parts {
        match part {
            Some(part) => key.extend([part.len().to_string().as_str(), ":", part]),
            None => key.push('-'),
        }
    }
    key
}
