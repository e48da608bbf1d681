//! A price catalogue: rules with validity, and how names of providers and models lead to them.

mod diff;
mod genai;
mod litellm;
mod operator;
mod rows;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

pub use diff::{Change, Diff, diff};
pub use genai::{BadCatalogue, BadPrices, GENAI_PRICES_VERSION, genai_prices};
pub use litellm::{BadImport, Import, LeftOut, litellm};
pub use operator::{PriceFile, Refusal, operator};
pub use rows::{BadRows, PriceRow};

use crate::matching::Match;
use crate::time::Period;
use crate::unit::{Rate, Unit};

/// Where a catalogue comes from. What comes first here prices first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The operator's own rules.
    Operator,
    /// An import of LiteLLM's price list.
    Litellm,
    /// The built-in catalogue, or a snapshot of an earlier one.
    Catalogue,
}

impl Source {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Litellm => "litellm",
            Self::Catalogue => "catalogue",
        }
    }

    /// The source of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Operator, Self::Litellm, Self::Catalogue].into_iter().find(|source| source.name() == name)
    }
}

/// A provider of a catalogue that finds models within providers.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Its name in the catalogue.
    pub id: String,
    /// Other names of it.
    pub matches: Option<Match>,
    /// Models that are its own where a call names no provider.
    pub model_match: Option<Match>,
    /// Providers whose models it serves at their prices.
    pub fallbacks: Vec<String>,
}

/// Prices for the calls of a model that are of one sort, in one period.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, unique in the catalogue and the same in the next version of it.
    pub id: String,
    /// The provider: by its id where the catalogue has providers, else a pattern for `provider`, where `*` stands for
    /// any characters and none for any provider.
    pub provider: Option<String>,
    /// What the catalogue calls the model.
    pub model: String,
    /// The model names that it is for.
    pub matches: Match,
    /// Only for this tenant.
    pub tenant: Option<String>,
    /// Only for this environment.
    pub environment: Option<String>,
    /// The service tier it is for: none is the standard one, `*` any.
    pub service_tier: Option<String>,
    /// Whether it is for batches; none is for either.
    pub batch: Option<bool>,
    /// A further condition that calls do not tell about; such a rule is shown and never prices a call.
    pub condition: Option<String>,
    /// When it is in force.
    pub period: Period,
    /// The currency of its prices, by its ISO 4217 code.
    pub currency: String,
    /// Its rates by size of the input, the lowest first, which is over nothing. Never empty.
    pub tiers: Vec<ContextTier>,
}

/// The rates of calls whose input is over some size.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextTier {
    /// Input tokens that a call has to exceed.
    pub over: i64,
    /// Prices by what they are for.
    pub rates: BTreeMap<Unit, Rate>,
}

/// A set of rules of one origin, named by its content.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    name: String,
    source: Source,
    version: String,
    providers: Vec<Provider>,
    rules: Vec<Rule>,
}

impl Catalogue {
    fn new(name: String, source: Source, providers: Vec<Provider>, rules: Vec<Rule>) -> Self {
        let mut catalogue = Self { name, source, version: String::new(), providers, rules };
        catalogue.version = rows::version(&catalogue);
        catalogue
    }

    /// The catalogue that is built in.
    #[must_use]
    pub fn built_in() -> Arc<Self> {
        static BUILT_IN: LazyLock<Arc<Catalogue>> =
            LazyLock::new(|| Arc::new(genai::embedded().expect("the embedded data is read by this crate's tests")));
        Arc::clone(&BUILT_IN)
    }

    /// What it is: a file, or a data set with its release.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it comes from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// A hash of its content: equal prices have equal versions, whoever reads them and when.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its providers, in the order they are looked at; none where rules name theirs themselves.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Its rules, in the order of the catalogue.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}
