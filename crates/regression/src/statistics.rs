//! The statistics of a comparison: intervals, paired tests, correction for many metrics, agreement of people.
//!
//! What cannot be estimated is `None`, never a number that looks sure. Every function is deterministic; what draws at
//! random takes a seed.

mod agreement;
mod bootstrap;
mod correction;
#[cfg(test)]
mod oracle;
mod paired;
mod proportion;

pub use agreement::{cohen_kappa, fleiss_kappa, interval_alpha};
pub use bootstrap::{Bootstrap, Resampled};
pub use correction::{Correction, adjust};
pub use paired::PairedCounts;
pub use proportion::wilson;

use statrs::distribution::{ContinuousCDF as _, Normal};

/// A two-sided interval: each bound holds alone with the probability `1 - (1 - confidence) / 2`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The standard normal distribution up to `z`.
fn phi(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The `z` below which the share `p` of the standard normal distribution lies.
pub(crate) fn z_of(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}
