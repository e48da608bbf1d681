//! The prices that queries use: catalogues in the order in which they price.

mod books;
mod table;

use std::sync::{Arc, OnceLock};

pub(crate) use books::read;
pub use books::{Recorded, kept, record, recorded};
pub(crate) use table::PriceBooks;
use tracewell_pricing::{Catalogue, Pricer, Source};

/// Catalogues that price together. Made ready when the first query asks for a price.
pub struct Prices {
    own: Vec<Arc<Catalogue>>,
    ready: OnceLock<Ready>,
}

struct Ready {
    pricer: Pricer,
    version: String,
}

impl Prices {
    /// The catalogues given; behind them the built-in one, unless there is another of its source.
    #[must_use]
    pub fn new(own: Vec<Arc<Catalogue>>) -> Self {
        Self { own, ready: OnceLock::new() }
    }

    /// What prices calls.
    #[must_use]
    pub fn pricer(&self) -> &Pricer {
        &self.ready().pricer
    }

    /// A hash of the versions of the catalogues: equal prices have equal versions.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.ready().version
    }

    fn ready(&self) -> &Ready {
        self.ready.get_or_init(|| {
            let mut catalogues = self.own.clone();
            if catalogues.iter().all(|catalogue| catalogue.source() != Source::Catalogue) {
                catalogues.push(Catalogue::built_in());
            }
            let pricer = Pricer::new(catalogues);
            let versions: Vec<&str> = pricer.catalogues().map(Catalogue::version).collect();
            let version = blake3::hash(versions.join("\n").as_bytes()).to_hex()[..16].to_owned();
            Ready { pricer, version }
        })
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl std::fmt::Debug for Prices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.own.iter().map(|catalogue| catalogue.name())).finish()
    }
}
