//! Price catalogues, exact amounts and where each amount came from.
//!
//! ```text
//!   genai-prices JSON ┐
//!   TOML, CSV rules   ├─> Catalogue ──> rows of `prices` ──> Catalogue of any earlier version
//!   LiteLLM's JSON    ┘       │
//!                           Pricer ── Route (provider, model, tenant, tier) ──> Plan
//!                                                      Plan ── time, Usage ──> Quote, else Unpriced
//! ```
//!
//! What must hold:
//! - A price is read from the text of its source and an amount is an integer of 10⁻²⁴: nothing is ever a binary float.
//! - What is not known is [`Unpriced`] with its reason. Nothing costs 0 but what a catalogue says costs 0.
//! - Each amount names its rule, the version of the catalogue, the tier, and how names and counts were read.
//! - The rule in force at the time of the call prices it, so that a call costs the same whenever it is asked.
//! - A version is a hash of what the catalogue says, and its rows give the catalogue back.
//!
//! This crate is pure: it reads no file, no clock and no network.
//!
//! ```
//! use tracewell_pricing::{Catalogue, Pricer, Route, Usage, read_moment};
//!
//! let pricer = Pricer::new(vec![Catalogue::built_in()]);
//! let route = Route { provider: Some("openai"), response_model: Some("gpt-5-2025-08-07"), ..Route::default() };
//! let usage = Usage {
//!     input_tokens: Some(1_000),
//!     cache_read_tokens: Some(400),
//!     output_tokens: Some(100),
//!     ..Usage::default()
//! };
//! let quote = pricer.price(&route, read_moment("2026-11-20").unwrap(), &usage).unwrap();
//! // 600 × $1.25, 400 × $0.125 and 100 × $10, each per million.
//! assert_eq!(quote.charge.total.to_string(), "0.0018");
//! ```

#![forbid(unsafe_code)]

mod amount;
pub mod catalogue;
mod matching;
mod names;
pub mod pricer;
mod time;
mod unit;
mod usage;

pub use amount::{Amount, NotAnAmount};
pub use catalogue::{Catalogue, PriceRow, Source};
pub use matching::{Match, Pattern};
pub use names::Reading;
pub use pricer::{Plan, Pricer, Provenance, Quote, Route, Unpriced};
pub use time::{Hours, Period, UnixNanos, moment_text, read_hours, read_moment};
pub use unit::{BadRate, Rate, Unit};
pub use usage::{KINDS, Kind, Kinds, Usage};
