//! How sure an average is.

use statrs::distribution::{ContinuousCDF as _, StudentsT};
use tracewell_regression::statistics::{Interval, wilson};

/// The confidence of all intervals.
pub const CONFIDENCE: f64 = 0.95;
/// Below so many values an average says little.
pub const FEW: i64 = 30;
/// Of fewer values no interval is told. It rests on the deviation of the values, and that is itself hardly known of a
/// few: with 95 % confidence it is between 0.69 and 1.83 times what ten values show, but between 0.45 and 32 times what
/// two show; and Student's t takes values to be about normal, which scores between 0 and 1 are only on average. What is
/// true of the mean of two scores is that there are two.
pub const LEAST: i64 = 10;

/// The interval of a share; `None` of fewer than [`LEAST`].
#[must_use]
pub fn of_share(successes: i64, trials: i64) -> Option<Interval> {
    if trials < LEAST {
        return None;
    }
    wilson(u64::try_from(successes).ok()?, u64::try_from(trials).ok()?, CONFIDENCE)
}

/// The interval of the mean of `count` values by Student's t; `None` of fewer than [`LEAST`].
#[must_use]
pub fn of_mean(mean: f64, deviation: f64, count: i64) -> Option<Interval> {
    let freedom = u32::try_from(count).ok().filter(|_| count >= LEAST)? - 1;
    let quantile = StudentsT::new(0.0, 1.0, f64::from(freedom)).ok()?.inverse_cdf(0.5 + CONFIDENCE / 2.0);
    let half = quantile * deviation / (count as f64).sqrt();
    Some(Interval { low: mean - half, high: mean + half })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_textbooks() {
        // Student's t for 9 degrees of freedom at 97.5 % is 2.262157.
        let mean = of_mean(5.0, 2.0, 10).expect("there are ten");
        assert!((mean.high - (5.0 + 2.262_157 * 2.0 / 10f64.sqrt())).abs() < 1e-5, "{mean:?}");
        assert!((mean.high - 5.0 - (5.0 - mean.low)).abs() < 1e-12);
        assert_eq!([of_mean(1.0, 0.1, 9), of_mean(1.0, 0.1, 2), of_mean(1.0, 0.0, 0)], [None; 3]);
        // Wilson for 8 of 10: 0.4902 to 0.9433 (Newcombe, 1998, method 3).
        let share = of_share(8, 10).expect("there are ten");
        assert!((share.low - 0.4902).abs() < 5e-5 && (share.high - 0.9433).abs() < 5e-5, "{share:?}");
        assert_eq!([of_share(0, 0), of_share(2, 2), of_share(9, 9)], [None; 3]);
    }
}
