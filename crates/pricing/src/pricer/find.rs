//! Which rules of a catalogue are for a call, by provider, model, tier, tenant and environment.

use std::cmp::Reverse;

use crate::catalogue::{Catalogue, Rule};
use crate::matching::{Match, glob_holds};
use crate::names::{self, Reading};
use crate::pricer::{NamedBy, Route, Unpriced};
use crate::time::UnixNanos;

/// A rule for a call, and how the call's model led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rule: usize,
    pub(crate) model: NamedBy,
    pub(crate) reading: Reading,
}

/// A call's sort with its names as they are looked up.
pub(crate) struct Wanted<'a> {
    provider: Option<String>,
    tenant: Option<&'a str>,
    environment: Option<&'a str>,
    tier: Option<String>,
    batch: bool,
    names: Vec<(NamedBy, Reading, String)>,
}

/// Gateways that put their own name where the provider's belongs, before a model that names it: `openai/gpt-5`.
const GATEWAYS: [&str; 1] = ["litellm"];

impl<'a> Wanted<'a> {
    pub(crate) fn new(route: &Route<'a>) -> Self {
        let provider = route.provider.map(|provider| provider.trim().to_lowercase());
        let provider = provider.filter(|provider| !provider.is_empty() && !GATEWAYS.contains(&provider.as_str()));
        let tier =
            route.service_tier.map(str::trim).filter(|tier| !names::is_standard_tier(tier)).map(str::to_lowercase);
        let mut names = Vec::new();
        for (by, model) in [(NamedBy::Response, route.response_model), (NamedBy::Request, route.request_model)] {
            let Some(model) = model.filter(|model| !model.trim().is_empty()) else { continue };
            let readings = names::readings(model, provider.as_deref()).into_iter();
            names.extend(readings.map(|(reading, name)| (by, reading, name)));
        }
        Self {
            provider,
            tenant: route.tenant,
            environment: route.environment,
            batch: route.batch || tier.as_deref() == Some("batch"),
            tier: tier.filter(|tier| tier != "batch"),
            names,
        }
    }

    /// The provider that the names of its model tell in this catalogue: by what stands before a slash, else by whose
    /// models are named so.
    pub(crate) fn told_provider(&self, catalogue: &Catalogue) -> Option<String> {
        let prefixed = |name: &str| {
            let provider = names::of_litellm_provider(name.split_once('/')?.0);
            provider_place(catalogue, names::genai_provider(provider)).map(|_| provider.to_owned())
        };
        let own =
            |name: &str| place(catalogue, None, name).map(|(provider, _)| catalogue.providers()[provider].id.clone());
        let mut names = self.names.iter().map(|(_, _, name)| name.as_str());
        names.clone().find_map(prefixed).or_else(|| names.find_map(own))
    }

    pub(crate) fn names_provider(&self) -> bool {
        self.provider.is_some()
    }

    pub(crate) fn has_model(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether a rule is for the call's tenant, environment, tier and way of processing.
    fn suits(&self, rule: &Rule) -> bool {
        self.suits_caller(rule) && self.suits_tier(rule)
    }

    fn suits_caller(&self, rule: &Rule) -> bool {
        let named = |rule: &Option<String>, call| rule.as_deref().is_none_or(|name| call == Some(name));
        named(&rule.tenant, self.tenant) && named(&rule.environment, self.environment)
    }

    fn suits_tier(&self, rule: &Rule) -> bool {
        let tier = match rule.service_tier.as_deref() {
            Some("*") => true,
            Some(tier) => self.tier.as_deref() == Some(&tier.to_lowercase()),
            // A batch is a way to submit calls; what tier they name besides does not change its price.
            None => self.tier.is_none() || rule.batch == Some(true),
        };
        tier && rule.batch.is_none_or(|batch| batch == self.batch) && rule.condition.is_none()
    }
}

/// How one catalogue is searched.
pub(crate) enum Index {
    /// By provider, then model: the first that matches is the one.
    Providers(Vec<Vec<Model>>),
    /// All rules that match, the most specific first.
    Rules,
}

/// A model of a provider: its condition and its rules.
pub(crate) struct Model {
    matches: Match,
    rules: std::ops::Range<usize>,
}

impl Index {
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        if catalogue.providers().is_empty() {
            return Self::Rules;
        }
        let mut providers: Vec<Vec<Model>> = catalogue.providers().iter().map(|_| Vec::new()).collect();
        let place = |rule: &Rule| catalogue.providers().iter().position(|one| Some(&one.id) == rule.provider.as_ref());
        let mut before: Option<(Option<usize>, &str)> = None;
        for (at, rule) in catalogue.rules().iter().enumerate() {
            let Some(provider) = place(rule) else { continue };
            let this = (Some(provider), rule.model.as_str());
            match providers[provider].last_mut().filter(|_| before == Some(this)) {
                Some(model) => model.rules.end = at + 1,
                None => providers[provider].push(Model { matches: rule.matches.clone(), rules: at..at + 1 }),
            }
            before = Some(this);
        }
        Self::Providers(providers)
    }

    /// The rules for a call, the first to be taken first; else why there are none.
    pub(crate) fn find(&self, catalogue: &Catalogue, wanted: &Wanted<'_>) -> Result<Vec<Found>, Unpriced> {
        match self {
            Self::Providers(models) => by_provider(catalogue, models, wanted),
            Self::Rules => by_rule(catalogue, wanted),
        }
    }
}

fn by_provider(catalogue: &Catalogue, models: &[Vec<Model>], wanted: &Wanted<'_>) -> Result<Vec<Found>, Unpriced> {
    let named = wanted.provider.as_deref().map(names::genai_provider);
    if let Some(provider) = named
        && provider_place(catalogue, provider).is_none()
    {
        return Err(Unpriced::UnknownProvider);
    }
    for (by, reading, name) in &wanted.names {
        let Some((provider, bare)) = place(catalogue, named, name) else { continue };
        let Some((model, own)) = model(catalogue, models, provider, bare) else { continue };
        let reading = if bare == name { *reading } else { Reading::WithoutPrefix };
        // The prices of a tier are those of the provider that offers it, not of one that resells its models.
        let standard = |rule: &Rule| rule.service_tier.is_none() && rule.batch == Some(false);
        let rules = model.rules.clone().filter(|at| {
            let rule = &catalogue.rules()[*at];
            wanted.suits(rule) && (own || standard(rule))
        });
        let found: Vec<_> = rules.map(|rule| Found { rule, model: *by, reading }).collect();
        return if found.is_empty() { Err(Unpriced::NoTierRate) } else { Ok(found) };
    }
    Err(Unpriced::UnknownModel)
}

fn provider_place(catalogue: &Catalogue, name: &str) -> Option<usize> {
    let providers = catalogue.providers();
    let by_match = || providers.iter().position(|one| one.matches.as_ref().is_some_and(|clause| clause.holds(name)));
    providers.iter().position(|provider| provider.id == name).or_else(by_match)
}

/// The provider to look in, and the model's name there.
fn place<'n>(catalogue: &Catalogue, named: Option<&str>, model: &'n str) -> Option<(usize, &'n str)> {
    if let Some(provider) = named {
        return Some((provider_place(catalogue, provider)?, model));
    }
    if let Some((prefix, name)) = model.split_once('/')
        && !prefix.is_empty()
        && let Some(provider) = provider_place(catalogue, names::genai_provider(prefix))
    {
        return Some((provider, name));
    }
    let own = |clause: &Option<Match>| clause.as_ref().is_some_and(|clause| clause.holds(model));
    Some((catalogue.providers().iter().position(|provider| own(&provider.model_match))?, model))
}

/// The model in a provider, or in those whose models it serves; and whether it is the provider's own.
fn model<'m>(
    catalogue: &Catalogue,
    models: &'m [Vec<Model>],
    provider: usize,
    name: &str,
) -> Option<(&'m Model, bool)> {
    let of = |provider: usize| models[provider].iter().find(|model| model.matches.holds(name));
    let places = catalogue.providers()[provider].fallbacks.iter();
    let mut fallbacks =
        places.filter_map(|id| catalogue.providers().iter().position(|provider| provider.id == *id)).filter_map(of);
    of(provider).map(|model| (model, true)).or_else(|| fallbacks.next().map(|model| (model, false)))
}

fn by_rule(catalogue: &Catalogue, wanted: &Wanted<'_>) -> Result<Vec<Found>, Unpriced> {
    let mut found = Vec::new();
    let mut other_tier = false;
    for (at, rule) in catalogue.rules().iter().enumerate() {
        if !suits_provider(rule, wanted.provider.as_deref()) || !wanted.suits_caller(rule) {
            continue;
        }
        let Some((by, reading, name)) = wanted.names.iter().find(|(_, _, name)| rule.matches.holds(name)) else {
            continue;
        };
        if wanted.suits_tier(rule) {
            let other_name = !rule.model.eq_ignore_ascii_case(name);
            found.push((Found { rule: at, model: *by, reading: *reading }, other_name));
        } else {
            other_tier = true;
        }
    }
    found.sort_by_key(|(found, other_name)| {
        let rule = &catalogue.rules()[found.rule];
        let name = (found.model == NamedBy::Request, found.reading as u8, *other_name);
        let latest = Reverse((rule.period.from.unwrap_or(UnixNanos::MIN), found.rule));
        (Reverse(specificity(rule)), name, latest)
    });
    match (found.is_empty(), other_tier) {
        (false, _) => Ok(found.into_iter().map(|(found, _)| found).collect()),
        (true, true) => Err(Unpriced::NoTierRate),
        (true, false) => Err(Unpriced::UnknownModel),
    }
}

fn suits_provider(rule: &Rule, provider: Option<&str>) -> bool {
    match (rule.provider.as_deref(), provider) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(pattern), Some(provider)) => {
            let pattern = pattern.to_lowercase();
            glob_holds(&pattern, provider)
                || glob_holds(&pattern, names::genai_provider(provider))
                || names::genai_provider(&pattern) == provider
        }
    }
}

/// What makes one rule go before another: tenant, environment, how much of the provider's and of the model's name it
/// says, and whether it names its tier.
fn specificity(rule: &Rule) -> (bool, bool, usize, usize, bool) {
    let literal = |pattern: &str| match pattern.contains('*') {
        true => pattern.chars().filter(|letter| *letter != '*').count(),
        false => usize::MAX,
    };
    let model = match &rule.matches {
        Match::Glob(pattern) => literal(pattern),
        _ => usize::MAX,
    };
    (
        rule.tenant.is_some(),
        rule.environment.is_some(),
        rule.provider.as_deref().map_or(0, literal),
        model,
        rule.service_tier.as_deref() != Some("*"),
    )
}
