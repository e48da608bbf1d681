//! How sure a rate is.

use super::{Interval, z_of};

/// Wilson's score interval of the rate `successes / trials`, without continuity correction (E. B. Wilson, 1927).
/// `None` without trials.
#[must_use]
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (n, rate) = (trials as f64, successes as f64 / trials as f64);
    let z = z_of(0.5 + confidence / 2.0);
    let z2 = z * z;
    let middle = rate + z2 / (2.0 * n);
    let half = z * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    let bound = |value: f64| (value / (1.0 + z2 / n)).clamp(0.0, 1.0);
    Some(Interval { low: bound(middle - half), high: bound(middle + half) })
}
