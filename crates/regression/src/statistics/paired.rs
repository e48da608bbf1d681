//! Two sides that passed or failed the same examples.

use statrs::distribution::{Binomial, Discrete as _, DiscreteCDF as _};

use super::{Interval, phi, z_of};

/// Examples of which both sides are known, counted by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairedCounts {
    /// All examples.
    pub examples: u64,
    /// The baseline passed and the candidate failed.
    pub broke: u64,
    /// The baseline failed and the candidate passed.
    pub mended: u64,
}

impl PairedCounts {
    /// The candidate's rate less the baseline's.
    #[must_use]
    pub fn difference(&self) -> f64 {
        (self.mended as f64 - self.broke as f64) / self.examples as f64
    }

    /// McNemar's mid-p test, two-sided: the chance of a split at least as uneven, were both sides the same, with the
    /// observed split counted by half. It is less timid than the exact test and still keeps its level (M. W. Fagerland
    /// and others, 2013).
    #[must_use]
    pub fn mcnemar_mid_p(&self) -> f64 {
        let Ok(halves) = Binomial::new(0.5, self.broke + self.mended) else { return 1.0 };
        let smaller = self.broke.min(self.mended);
        (2.0 * halves.cdf(smaller) - halves.pmf(smaller)).min(1.0)
    }

    /// The interval of [`difference`](Self::difference) that T. Tango's score test leaves (1998). It keeps its width
    /// where no example differs. `None` without examples.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        if self.examples == 0 {
            return None;
        }
        let z = z_of(0.5 + confidence / 2.0);
        let (low, middle, high) = (-1.0, self.difference(), 1.0);
        Some(Interval { low: self.crossing(low, middle, z), high: self.crossing(middle, high, -z) })
    }

    /// How likely a difference as low as the observed one, or lower, would be if the true one were `difference`; by
    /// the score test. `None` without examples.
    #[must_use]
    pub fn p_below(&self, difference: f64) -> Option<f64> {
        (self.examples > 0).then(|| phi(self.score(difference)))
    }

    /// Where the score statistic, which falls as the difference grows, is `z`.
    fn crossing(&self, mut low: f64, mut high: f64, z: f64) -> f64 {
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if self.score(middle) > z { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    }

    /// Tango's statistic: how many standard errors the observed difference lies above `delta`, the standard error
    /// being that of the likeliest rates whose difference is `delta`.
    fn score(&self, delta: f64) -> f64 {
        let (n, broke, mended) = (self.examples as f64, self.broke as f64, self.mended as f64);
        let above = mended - broke - n * delta;
        let broke_rate = self.likeliest_broke_rate(delta);
        let variance = n * (2.0 * broke_rate + delta * (1.0 - delta));
        if above == 0.0 { 0.0 } else { above / variance.max(f64::MIN_POSITIVE).sqrt() }
    }

    /// The likeliest rate of broken examples, given that the difference is `delta`: the positive root of the
    /// likelihood's quadratic.
    fn likeliest_broke_rate(&self, delta: f64) -> f64 {
        let (n, broke, mended) = (self.examples as f64, self.broke as f64, self.mended as f64);
        let a = 2.0 * n;
        let b = -broke - mended + (2.0 * n - mended + broke) * delta;
        let c = -broke * delta * (1.0 - delta);
        ((b * b - 4.0 * a * c).max(0.0).sqrt() - b) / (2.0 * a)
    }
}
