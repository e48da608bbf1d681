//! Why cost changed: volume, mix, token length, caching and price.
//!
//! The change between two periods is walked in five steps, from what the first one cost to what the second one cost.
//! Each step replaces one thing of before by that of now, and what it adds is that thing's part:
//!
//! ```text
//!   cost before
//!     → × calls now / calls before                                            volume
//!     → each group's calls now, at its cost per call of before                mix
//!     → its tokens now per call, cached to the same share as before           length
//!     → its tokens now of each kind, each at its cost per token of before     caching
//!   → cost now                                                                price
//! ```
//!
//! So the parts add up to the change to the last digit, however the steps between are rounded. A group is one prompt on
//! one model at one tier of its prices: a call that goes by the rates for long contexts, flex or batches and did not
//! before is mix, and price what other prices make. Only calls with a price are in it. What a group had none of before
//! is taken at its cost of now: a new model is mix, a new kind of token is length or caching, and neither is price. A
//! tier that prices add or drop is mix too: calls do not tell it from one that they came to or left.

use std::iter::Sum;
use std::ops::Add;

use serde::Serialize;
use tracewell_pricing::Amount;

use crate::money::{minus, times};

/// Tokens of one kind and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Use {
    pub tokens: i64,
    pub cost: Amount,
}

/// The calls of one group in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Calls with a price.
    pub calls: i64,
    /// All that they cost.
    pub cost: Amount,
    /// Input that was not cached, read from the cache, written to it.
    pub input: [Use; 3],
    /// Output, its reasoning included.
    pub output: Use,
}

impl Add for Use {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { tokens: self.tokens + other.tokens, cost: self.cost + other.cost }
    }
}

impl Add for Side {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let [fresh, read, written] = self.input;
        let [more_fresh, more_read, more_written] = other.input;
        Self {
            calls: self.calls + other.calls,
            cost: self.cost + other.cost,
            input: [fresh + more_fresh, read + more_read, written + more_written],
            output: self.output + other.output,
        }
    }
}

impl Sum for Group {
    fn sum<I: Iterator<Item = Self>>(groups: I) -> Self {
        let add = |sum: Self, group: Self| Self { before: sum.before + group.before, now: sum.now + group.now };
        groups.fold(Self::default(), add)
    }
}

impl Side {
    /// What is not priced by tokens: requests, searches.
    fn fees(&self) -> Amount {
        let [fresh, read, written] = self.input.map(|part| part.cost);
        minus(self.cost, fresh + read + written + self.output.cost)
    }

    fn whole_input(&self) -> Use {
        self.input.into_iter().fold(Use::default(), Use::add)
    }
}

/// A group in the period before and in this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Group {
    pub before: Side,
    pub now: Side,
}

/// What each thing adds to the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Split {
    /// More or fewer calls.
    #[serde(serialize_with = "crate::money::text")]
    pub volume: Amount,
    /// A shift to dearer or cheaper prompts, models and tiers of prices.
    #[serde(serialize_with = "crate::money::text")]
    pub mix: Amount,
    /// Longer or shorter inputs and outputs.
    #[serde(serialize_with = "crate::money::text")]
    pub length: Amount,
    /// A larger or smaller part of the input from the provider's cache.
    #[serde(serialize_with = "crate::money::text")]
    pub caching: Amount,
    /// Other rates for the same tokens.
    #[serde(serialize_with = "crate::money::text")]
    pub price: Amount,
}

impl Split {
    /// The parts with their names, in the order of the steps.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, Amount); 5] {
        let Self { volume, mix, length, caching, price } = *self;
        [("volume", volume), ("mix", mix), ("length", length), ("caching", caching), ("price", price)]
    }
}

/// Splits the change of the cost of all `groups`; `None` where nothing was priced before, or an amount becomes too large.
#[must_use]
pub fn split(groups: &[Group]) -> Option<Split> {
    let total = |amount: fn(&Group) -> Amount| groups.iter().map(amount).sum::<Amount>();
    let calls = |count: fn(&Group) -> i64| groups.iter().map(count).sum::<i64>();
    let sum = |amount: fn(&Group) -> Option<Amount>| groups.iter().map(amount).sum::<Option<Amount>>();
    let before = total(|group| group.before.cost);
    let more = times(before, calls(|group| group.now.calls), calls(|group| group.before.calls))?;
    let mixed = sum(per_call)?;
    let longer = sum(at_lengths_of_now)?;
    let cached = sum(at_tokens_of_now)?;
    let now = total(|group| group.now.cost);
    Some(Split {
        volume: minus(more, before),
        mix: minus(mixed, more),
        length: minus(longer, mixed),
        caching: minus(cached, longer),
        price: minus(now, cached),
    })
}

/// `now.tokens` at the rate of before; at that of now where there were none.
fn at_rate(now: Use, before: Use) -> Option<Amount> {
    if before.tokens == 0 { Some(now.cost) } else { times(before.cost, now.tokens, before.tokens) }
}

fn fees(Group { before, now }: &Group) -> Option<Amount> {
    times(before.fees(), now.calls, before.calls)
}

fn per_call(Group { before, now }: &Group) -> Option<Amount> {
    if before.calls == 0 { Some(now.cost) } else { times(before.cost, now.calls, before.calls) }
}

fn at_lengths_of_now(group: &Group) -> Option<Amount> {
    let Group { before, now } = group;
    if before.calls == 0 {
        return Some(now.cost);
    }
    Some(at_rate(now.whole_input(), before.whole_input())? + at_rate(now.output, before.output)? + fees(group)?)
}

fn at_tokens_of_now(group: &Group) -> Option<Amount> {
    let Group { before, now } = group;
    if before.calls == 0 {
        return Some(now.cost);
    }
    let input = now.input.into_iter().zip(before.input).map(|(now, before)| at_rate(now, before));
    Some(input.sum::<Option<Amount>>()? + at_rate(now.output, before.output)? + fees(group)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> Amount {
        text.parse().expect("it is an amount")
    }

    /// `calls`, each with so many tokens of fresh input, read from the cache and of output, at these rates.
    fn side(calls: i64, tokens: [i64; 3], rates: [&str; 3]) -> Side {
        let [fresh, read, output] = [0, 1, 2].map(|kind: usize| {
            let tokens = calls * tokens[kind];
            Use { tokens, cost: times(usd(rates[kind]), tokens, 1).expect("it is small") }
        });
        let cost = fresh.cost + read.cost + output.cost;
        Side { calls, cost, input: [fresh, read, Use::default()], output }
    }

    const RATES: [&str; 3] = ["0.01", "0.001", "0.1"];

    #[test]
    fn one_thing_that_changes_is_the_whole_change() {
        let before = side(10, [100, 0, 10], RATES);
        let parts = |now: Side| split(&[Group { before, now }]).expect("there is a period before");
        let none = Split::default();
        // A call costs 100 × 0.01 + 10 × 0.1 = 2.
        assert_eq!(parts(side(15, [100, 0, 10], RATES)), Split { volume: usd("10"), ..none });
        assert_eq!(parts(side(10, [150, 0, 10], RATES)), Split { length: usd("5"), ..none });
        assert_eq!(parts(side(10, [100, 0, 10], ["0.02", "0.001", "0.1"])), Split { price: usd("10"), ..none });
        // Half of the input now comes from the cache, which nothing did before: 50 × 0.009 less for each call.
        assert_eq!(parts(side(10, [50, 50, 10], RATES)), Split { caching: usd("-4.5"), ..none });
    }

    #[test]
    fn another_model_is_mix_and_not_price() {
        let dear = side(10, [100, 0, 10], RATES);
        let cheap = side(10, [100, 0, 10], ["0.001", "0.0001", "0.01"]);
        let moved = [Group { before: dear, now: Side::default() }, Group { before: Side::default(), now: cheap }];
        assert_eq!(split(&moved), Some(Split { mix: usd("-18"), ..Split::default() }));
    }

    #[test]
    fn everything_at_once_is_taken_in_turn() {
        // Before: 10 calls at 2. Now: 20 calls, of 200 + 10 tokens, output at twice the rate.
        let before = side(10, [100, 0, 10], RATES);
        let now = side(20, [200, 0, 10], ["0.01", "0.001", "0.2"]);
        let expected = Split { volume: usd("20"), length: usd("20"), price: usd("20"), ..Split::default() };
        assert_eq!(split(&[Group { before, now }]), Some(expected));
    }

    #[test]
    fn without_a_period_before_there_is_no_split() {
        let now = side(3, [10, 0, 1], RATES);
        assert_eq!(split(&[Group { before: Side::default(), now }]), None);
        assert_eq!(split(&[]), None);
    }

    fn any_use() -> impl Strategy<Value = Use> {
        (0..1_000_000i64, 0..1_000i64).prop_map(|(tokens, rate)| Use {
            tokens,
            cost: Amount::from_units(i128::from(tokens * rate) * 10i128.pow(16)),
        })
    }

    fn any_side() -> impl Strategy<Value = Side> {
        (1..10_000i64, [any_use(), any_use(), any_use()], any_use(), 0..100i64).prop_map(
            |(calls, input, output, fee)| {
                let fees = Amount::from_units(i128::from(fee * calls) * 10i128.pow(20));
                let cost = input.iter().map(|part| part.cost).sum::<Amount>() + output.cost + fees;
                Side { calls, cost, input, output }
            },
        )
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_change(pairs in prop::collection::vec((any_side(), any_side()), 1..6)) {
            let groups: Vec<Group> = pairs.into_iter().map(|(before, now)| Group { before, now }).collect();
            let parts = split(&groups).expect("there is a period before");
            let change = minus(groups.iter().map(|group| group.now.cost).sum(), groups.iter().map(|group| group.before.cost).sum());
            prop_assert_eq!(parts.parts().into_iter().map(|(_, part)| part).sum::<Amount>(), change);
            // Price by its own definition: tokens of now, each at the difference of the rates.
            let rate = |part: Use| part.cost.units() as f64 / part.tokens as f64;
            let priced = |now: Use, before: Use| {
                if now.tokens == 0 || before.tokens == 0 { 0.0 } else { now.tokens as f64 * (rate(now) - rate(before)) }
            };
            let of_group = |Group { before, now }: &Group| {
                let kinds = now.input.into_iter().zip(before.input).chain([(now.output, before.output)]);
                let per_call = |side: &Side| side.fees().units() as f64 / side.calls as f64;
                kinds.map(|(now, before)| priced(now, before)).sum::<f64>() + now.calls as f64 * (per_call(now) - per_call(before))
            };
            let price: f64 = groups.iter().map(of_group).sum();
            let scale = groups.iter().map(|group| group.now.cost.units() + group.before.cost.units()).sum::<i128>() as f64;
            prop_assert!((parts.price.units() as f64 - price).abs() <= scale * 1e-9, "{} {}", parts.price, price);
        }
    }
}
