//! Prices against other calculators, against hand-made invoices and against the laws they must keep.

mod cases;
mod invoices;
mod laws;
mod oracle;
mod precedence;
#[path = "../../../../tests/skipped.rs"]
mod skipped;
mod unpriced;

use std::sync::Arc;

use tracewell_pricing::catalogue::{PriceFile, litellm, operator};
use tracewell_pricing::{Catalogue, Pricer, UnixNanos, Usage, read_moment};

/// `Usage::default()`, for constants.
const NO_USAGE: Usage = Usage {
    input_tokens: None,
    output_tokens: None,
    cache_read_tokens: None,
    cache_write_tokens: None,
    cache_write_5m_tokens: None,
    cache_write_1h_tokens: None,
    reasoning_tokens: None,
    audio_input_tokens: None,
    audio_output_tokens: None,
    image_input_tokens: None,
    image_output_tokens: None,
    requests: None,
};

/// A pricer of the built-in catalogue alone.
fn built_in() -> Pricer {
    Pricer::new(vec![Catalogue::built_in()])
}

/// The operator's rules of one TOML file.
fn rules(toml: &str) -> Arc<Catalogue> {
    let file = PriceFile { name: "prices.toml".to_owned(), text: toml.to_owned() };
    Arc::new(operator(&[file]).unwrap_or_else(|refusals| panic!("{refusals:?}")))
}

/// A price list in LiteLLM's format.
fn list(json: &str) -> Arc<Catalogue> {
    Arc::new(litellm("litellm", json, None).expect("a price list").catalogue)
}

fn at(moment: &str) -> UnixNanos {
    read_moment(moment).expect("a moment")
}
