//! What a period under way will have cost at its end.
//!
//! The days to come are expected to cost what such weekdays cost on average of the past weeks; where there are too few
//! past weeks, what the past days cost on average. The range is what the days' scatter around these averages lets
//! expect, at 80 % where days are independent and nothing changes; it is an estimate, not a promise.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};
use tracewell_pricing::Amount;

use crate::money::times;

/// A day that is over, and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastDay {
    /// 0 on Monday.
    pub weekday: u8,
    /// What its calls cost.
    pub cost: Amount,
}

/// A day to come, or what is left of today.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayLeft {
    /// 0 on Monday.
    pub weekday: u8,
    /// How much of it is left, up to 1.
    pub share: f64,
}

/// Cost at the end of a period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Expected.
    #[serde(serialize_with = "crate::money::text")]
    pub expected: Amount,
    /// The lower end of the range.
    #[serde(serialize_with = "crate::money::text")]
    pub low: Amount,
    /// Its upper end.
    #[serde(serialize_with = "crate::money::text")]
    pub high: Amount,
    /// Past days that it rests on.
    pub days: usize,
    /// Whether each weekday was expected by itself.
    pub by_weekday: bool,
}

/// Days below which nothing is said.
pub const FEWEST: usize = 3;
/// Past days of each weekday from which weekdays are told apart.
const OF_EACH: usize = 2;
const CONFIDENCE: f64 = 0.8;

/// What the period costs at its end when `spent` was spent so far; `None` where too few days are over to say.
#[must_use]
pub fn forecast(spent: Amount, past: &[PastDay], left: &[DayLeft]) -> Option<Forecast> {
    if past.len() < FEWEST {
        return None;
    }
    let of = |weekday: u8| past.iter().filter(move |day| day.weekday == weekday);
    let by_weekday = (0..7).all(|weekday| of(weekday).count() >= OF_EACH);
    let mean = |weekday: u8| -> Option<Amount> {
        let days: Vec<Amount> =
            past.iter().filter(|day| !by_weekday || day.weekday == weekday).map(|day| day.cost).collect();
        times(days.iter().copied().sum(), 1, i64::try_from(days.len()).ok()?)
    };
    let mut expected = spent;
    for day in left {
        expected += times(mean(day.weekday)?, (day.share * PARTS as f64).round() as i64, PARTS)?;
    }
    let residuals = past.iter().map(|day| Some((day.cost.units() - mean(day.weekday)?.units()) as f64));
    let squares = residuals.map(|residual| residual.map(|residual| residual * residual)).sum::<Option<f64>>()?;
    let freedom = past.len().checked_sub(if by_weekday { 7 } else { 1 }).filter(|freedom| *freedom > 0)? as f64;
    let days: f64 = left.iter().map(|day| day.share).sum();
    // The scatter of the days to come, and of the averages they are expected by.
    let spread = (squares / freedom).sqrt() * (days + days * days / past.len() as f64).sqrt();
    let quantile = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.5 + CONFIDENCE / 2.0);
    let margin = (quantile * spread) as i128;
    let low = Amount::from_units((expected.units() - margin).max(spent.units()));
    let high = Amount::from_units(expected.units() + margin);
    Some(Forecast { expected, low, high, days: past.len(), by_weekday })
}

/// Shares of a day are counted in these.
const PARTS: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(cents: i128) -> Amount {
        Amount::from_units(cents * 10i128.pow(22))
    }

    fn days(costs: &[i128]) -> Vec<PastDay> {
        costs.iter().zip(0u8..).map(|(cents, day)| PastDay { weekday: day % 7, cost: usd(*cents) }).collect()
    }

    #[test]
    fn few_days_are_averaged() {
        // Mean 200, deviation 100; Student's t of 2 degrees at 90 % is 1.88562.
        let left = [DayLeft { weekday: 3, share: 0.5 }, DayLeft { weekday: 4, share: 1.0 }];
        let found = forecast(usd(650), &days(&[100, 200, 300]), &left).expect("there are days");
        assert_eq!((found.expected, found.days, found.by_weekday), (usd(950), 3, false));
        let margin = (found.high.units() - found.expected.units()) as f64 / 1e22;
        assert!((margin - 1.885_618 * 100.0 * (1.5f64 + 1.5 * 1.5 / 3.0).sqrt()).abs() < 0.01, "{margin}");
        assert_eq!(found.low.units(), 2 * found.expected.units() - found.high.units());
        // Less than what is spent already it cannot be.
        let evening = [DayLeft { weekday: 3, share: 0.25 }];
        assert_eq!(forecast(usd(650), &days(&[100, 200, 300]), &evening).map(|found| found.low), Some(usd(650)));
    }

    #[test]
    fn weekdays_are_told_apart_when_each_was_seen_twice() {
        let weeks = [100, 100, 100, 100, 100, 10, 0, 140, 140, 140, 140, 140, 30, 0];
        let weekend = [DayLeft { weekday: 5, share: 1.0 }, DayLeft { weekday: 6, share: 1.0 }];
        let found = forecast(usd(600), &days(&weeks), &weekend).expect("there are days");
        assert_eq!((found.expected, found.by_weekday), (usd(620), true));
    }

    #[test]
    fn two_days_say_nothing_and_equal_days_no_range() {
        assert_eq!(forecast(usd(2), &days(&[1, 1]), &[]), None);
        let found =
            forecast(usd(15), &days(&[5, 5, 5]), &[DayLeft { weekday: 3, share: 1.0 }]).expect("there are days");
        assert_eq!((found.expected, found.low, found.high), (usd(20), usd(20), usd(20)));
    }
}
