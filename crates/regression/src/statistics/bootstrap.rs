//! The bootstrap: how far a mean would move, had other examples of the same kind been drawn.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};

use super::{Interval, phi, z_of};

/// How resamples are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many; at most 2³² examples can be drawn from.
    pub resamples: usize,
    /// The same seed draws the same.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 10_000, seed: 0 }
    }
}

impl Bootstrap {
    /// Resamples the mean of `values`: one per example, so that an example's repetitions do not count as independent.
    /// For a paired comparison they are the examples' differences.
    ///
    /// `None` where that says nothing: fewer than two values, no spread among them, or a value that is not finite.
    #[must_use]
    pub fn mean(&self, values: &[f64]) -> Option<Resampled> {
        let n = values.len() as f64;
        let estimate = values.iter().sum::<f64>() / n;
        let spread = values.iter().any(|value| *value != values[0]);
        if !spread || !estimate.is_finite() || self.resamples == 0 {
            return None;
        }
        let mut draw = Pcg64Mcg::seed_from_u64(self.seed);
        let mut means: Vec<f64> = (0..self.resamples).map(|_| resampled_mean(values, &mut draw)).collect();
        means.sort_by(f64::total_cmp);
        Resampled::new(estimate, means, acceleration(values, estimate))
    }
}

/// One mean of as many values, each drawn with replacement.
fn resampled_mean(values: &[f64], draw: &mut Pcg64Mcg) -> f64 {
    let count = values.len();
    // A 32-bit number scaled to the count: off from even by less than count / 2³².
    let value = |bits: u64| values[(((bits & 0xffff_ffff) * count as u64) >> 32) as usize];
    let mut sum = 0.0;
    for _ in 0..count / 2 {
        let bits = draw.next_u64();
        sum += value(bits) + value(bits >> 32);
    }
    if count % 2 == 1 {
        sum += value(draw.next_u64());
    }
    sum / count as f64
}

/// How fast the standard error changes with the mean; from the jackknife.
fn acceleration(values: &[f64], mean: f64) -> f64 {
    let (squares, cubes) = values.iter().fold((0.0, 0.0), |(squares, cubes), value| {
        let off = value - mean;
        (squares + off * off, cubes + off * off * off)
    });
    cubes / (6.0 * squares.powf(1.5))
}

/// The means of the resamples, in order, and what corrects their bias and skew (B. Efron, 1987: BCa).
#[derive(Clone, Debug)]
pub struct Resampled {
    /// The mean of the values themselves.
    pub estimate: f64,
    means: Vec<f64>,
    bias: f64,
    acceleration: f64,
}

impl Resampled {
    fn new(estimate: f64, means: Vec<f64>, acceleration: f64) -> Option<Self> {
        let mut resampled = Self { estimate, means, bias: 0.0, acceleration };
        resampled.bias = z_of(resampled.share_below(estimate));
        (resampled.bias.is_finite() && acceleration.is_finite()).then_some(resampled)
    }

    /// The bias-corrected and accelerated interval of the mean.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> Interval {
        let share = |z: f64| {
            let moved = self.bias + z;
            phi(self.bias + moved / (1.0 - self.acceleration * moved))
        };
        let z = z_of(0.5 + confidence / 2.0);
        Interval { low: self.quantile(share(-z)), high: self.quantile(share(z)) }
    }

    /// The one-sided p-value of the claim that the true mean lies at `value` or above it: the level at which the upper
    /// bound of [`interval`](Self::interval) would come down to `value`. Never 0: the resamples are not infinitely many.
    #[must_use]
    pub fn p_below(&self, value: f64) -> f64 {
        let least = 0.5 / self.means.len() as f64;
        let moved = z_of(self.share_below(value).clamp(least, 1.0 - least)) - self.bias;
        let level = phi(moved / (1.0 + self.acceleration * moved) - self.bias);
        1.0 - level.clamp(least, 1.0 - least)
    }

    /// The share of the means below `value`, equal ones counted by half.
    fn share_below(&self, value: f64) -> f64 {
        let below = self.means.partition_point(|mean| *mean < value);
        let not_above = self.means.partition_point(|mean| *mean <= value);
        (below + not_above) as f64 / (2 * self.means.len()) as f64
    }

    /// The mean below which `share` of the means lie, interpolated between neighbours.
    fn quantile(&self, share: f64) -> f64 {
        let last = self.means.len() - 1;
        let place = share.clamp(0.0, 1.0) * last as f64;
        let (below, above) = (self.means[place as usize], self.means[(place as usize + 1).min(last)]);
        below + (above - below) * place.fract()
    }

    #[cfg(test)]
    pub(super) fn means(&self) -> &[f64] {
        &self.means
    }
}
