//! The rates of a rule made ready for integer arithmetic, and the arithmetic.

use crate::amount::Amount;
use crate::catalogue::{ContextTier, Rule};
use crate::pricer::Unpriced;
use crate::unit::{Rate, Role, Unit};
use crate::usage::{KINDS, Kind, Kinds, Usage};

/// A count above this is not believed. With rates of at most 2⁹⁰ units, all products and their sum stay within 128 bits.
pub const MAX_COUNT: i64 = (1 << 32) - 1;

/// The kinds whose own rates make cached input and input of another modality overlap.
const CACHED: [Kind; 4] = [Kind::CacheRead, Kind::CacheWrite, Kind::CacheWrite5m, Kind::CacheWrite1h];

/// The kinds of use of a call that is text alone.
const OF_TEXT: [Kind; 8] = [
    Kind::Input,
    Kind::CacheRead,
    Kind::CacheWrite,
    Kind::CacheWrite5m,
    Kind::CacheWrite1h,
    Kind::Output,
    Kind::Reasoning,
    Kind::Requests,
];

/// What each kind of use costs, and the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// By kind, in the order of [`Kind::ALL`].
    pub parts: [Amount; KINDS],
    /// All of it.
    pub total: Amount,
    /// The tier by size of the input: the call's input was over this.
    pub context_over: i64,
}

impl Charge {
    /// What `kind` costs.
    #[must_use]
    pub fn part(&self, kind: Kind) -> Amount {
        self.parts[kind as usize]
    }

    /// What all kinds of input cost.
    #[must_use]
    pub fn input(&self) -> Amount {
        Kind::ALL.into_iter().filter(|kind| kind.is_input()).map(|kind| self.part(kind)).sum()
    }

    /// What all kinds of output cost.
    #[must_use]
    pub fn output(&self) -> Amount {
        [Kind::Output, Kind::Reasoning, Kind::AudioOutput, Kind::ImageOutput]
            .map(|kind| self.part(kind))
            .into_iter()
            .sum()
    }
}

/// A rule's rates by size of the input, the lowest first.
#[derive(Clone, Debug)]
pub(crate) struct Tariff {
    tiers: Box<[Tier]>,
}

#[derive(Clone, Debug)]
struct Tier {
    over: i64,
    /// The price of one of each kind in units of [`Amount`], that of its parent where it has none of its own.
    each: [i128; KINDS],
    /// All ones for a kind that is charged by itself, nothing for one that is charged as its parent.
    own: [i64; KINDS],
    /// Kinds that have no rate, not even a parent's.
    missing: Kinds,
    input: Side,
    output: Side,
    /// Images in the output have their own rate.
    images_out: bool,
    /// Things besides tokens are charged that nothing counts.
    fees: bool,
    /// One of them, where it is all that is charged of what went in or of what came out: pages read, an image made.
    only_fee: Option<Unit>,
    /// All kinds of text have a rate, and the price of text hangs on nothing else.
    prices_text: bool,
}

/// What is known of the rates for what went in, or for what came out.
#[derive(Clone, Copy, Debug)]
struct Side {
    /// Some rate is above nothing.
    charged: bool,
    /// Rates are known, all of them nothing.
    free: bool,
    /// A part of the tokens has its own rate and no column counts it.
    uncounted: Option<Unit>,
}

impl Tariff {
    pub(crate) fn new(rule: &Rule) -> Self {
        Self { tiers: rule.tiers.iter().map(Tier::new).collect() }
    }

    fn tier(&self, input: i64) -> &Tier {
        let (base, over) = self.tiers.split_first().expect("a rule has the tier over nothing");
        over.iter().rev().find(|tier| input > tier.over).unwrap_or(base)
    }

    /// What the use costs.
    #[inline]
    pub(crate) fn charge(&self, usage: &Usage) -> Result<Charge, Unpriced> {
        let tier = self.tier(count(usage.input_tokens));
        let counts = tier.charged(usage)?;
        let mut charge = Charge { context_over: tier.over, ..Charge::default() };
        let mut total = 0;
        for ((part, each), count) in charge.parts.iter_mut().zip(&tier.each).zip(counts) {
            let amount = each * i128::from(count);
            *part = Amount::from_units(amount);
            total += amount;
        }
        charge.total = Amount::from_units(total);
        Ok(charge)
    }

    /// The total of its [`charge`](Self::charge).
    #[inline]
    pub(crate) fn total(&self, usage: &Usage) -> Result<Amount, Unpriced> {
        let tier = self.tier(count(usage.input_tokens));
        let amount = |kind: Kind, count: i64| tier.each[kind as usize] * i128::from(count);
        let units = match tier.of_text(usage) {
            Some(counts) => OF_TEXT.into_iter().zip(counts).map(|(kind, count)| amount(kind, count)).sum(),
            None => Kind::ALL.into_iter().zip(tier.charged(usage)?).map(|(kind, count)| amount(kind, count)).sum(),
        };
        Ok(Amount::from_units(units))
    }

    /// Kinds in use that were charged at their parent's rate.
    pub(crate) fn at_parents_rate(&self, usage: &Usage) -> Kinds {
        let tier = self.tier(count(usage.input_tokens));
        reported(usage)
            .filter(|(kind, count)| *count > 0 && tier.own[*kind as usize] == 0)
            .map(|(kind, _)| kind)
            .collect()
    }

    /// Kinds with their own rate of which nothing was reported, read as none.
    pub(crate) fn read_as_none(&self, usage: &Usage) -> Kinds {
        let tier = self.tier(count(usage.input_tokens));
        let reported: Kinds = reported(usage).map(|(kind, _)| kind).collect();
        let own = Kind::ALL.into_iter().filter(|kind| kind.parent().is_some() && tier.own[*kind as usize] != 0);
        own.filter(|kind| !reported.has(*kind)).collect()
    }

    /// Whether the rule charges for things that nothing counts.
    pub(crate) fn has_fees(&self) -> bool {
        self.tiers.iter().any(|tier| tier.fees)
    }
}

const fn count(reported: Option<i64>) -> i64 {
    match reported {
        Some(count) => count,
        None => 0,
    }
}

fn reported(usage: &Usage) -> impl Iterator<Item = (Kind, i64)> {
    [
        (Kind::CacheRead, usage.cache_read_tokens),
        (Kind::CacheWrite, usage.cache_write_tokens),
        (Kind::CacheWrite5m, usage.cache_write_5m_tokens),
        (Kind::CacheWrite1h, usage.cache_write_1h_tokens),
        (Kind::AudioInput, usage.audio_input_tokens),
        (Kind::ImageInput, usage.image_input_tokens),
        (Kind::Reasoning, usage.reasoning_tokens),
        (Kind::AudioOutput, usage.audio_output_tokens),
        (Kind::ImageOutput, usage.image_output_tokens),
    ]
    .into_iter()
    .filter_map(|(kind, count)| Some((kind, count?)))
}

impl Tier {
    fn new(tier: &ContextTier) -> Self {
        let rate = |kind| tier.rates.get(&Unit::of(kind)).and_then(|rate: &Rate| rate.each());
        let by_time = tier.rates.keys().any(|unit| unit.role() == Role::AudioTime);
        // Audio that is charged by its length has no rate for its tokens, not that of text.
        let withheld = |kind| by_time && matches!(kind, Kind::AudioInput | Kind::AudioOutput) && rate(kind).is_none();
        let (mut each, mut own, mut missing) = ([0; KINDS], [0; KINDS], Kinds::default());
        for kind in Kind::ALL {
            let inherited = std::iter::successors(Some(kind), |kind| kind.parent()).find_map(rate);
            match inherited.filter(|_| !withheld(kind)) {
                Some(amount) => each[kind as usize] = amount.units(),
                None if kind == Kind::Requests => {}
                None => missing = missing.with(kind),
            }
            let by_itself = rate(kind).is_some() || kind.parent().is_none() || withheld(kind);
            own[kind as usize] = if by_itself { -1 } else { 0 };
        }
        let fees = || {
            let is_fee = |unit: Unit| matches!(unit.role(), Role::Fee | Role::AudioTime);
            tier.rates.iter().filter(move |(unit, rate)| is_fee(**unit) && rate.price > Amount::ZERO)
        };
        let only_fee = fees()
            .find(|(unit, _)| missing.has(if unit.name().starts_with("output") { Kind::Output } else { Kind::Input }));
        let side = |input: bool| {
            let of_side = || tier.rates.iter().filter(move |(unit, _)| is_input(**unit) == Some(input));
            let known = !missing.has(if input { Kind::Input } else { Kind::Output });
            Side {
                charged: of_side().any(|(_, rate)| rate.price > Amount::ZERO),
                free: known && of_side().all(|(_, rate)| rate.price == Amount::ZERO),
                uncounted: of_side()
                    .find(|(unit, rate)| match unit.role() {
                        Role::PartOf(kind) => rate.each().map(Amount::units) != Some(each[kind as usize]),
                        _ => false,
                    })
                    .map(|(unit, _)| *unit),
            }
        };
        let (input, output) = (side(true), side(false));
        let images_out = rate(Kind::ImageOutput).is_some_and(|own| rate(Kind::Output) != Some(own));
        let has_all_rates = OF_TEXT.into_iter().all(|kind| !missing.has(kind));
        let no_more = input.uncounted.is_none() && output.uncounted.is_none() && !images_out && only_fee.is_none();
        Self {
            over: tier.over,
            input,
            output,
            images_out,
            prices_text: has_all_rates && no_more,
            fees: fees().next().is_some(),
            only_fee: only_fee.map(|(unit, _)| *unit),
            each,
            own,
            missing,
        }
    }

    /// What [`charged`](Self::charged) says of each kind of text, where that is all that a call has and nothing is
    /// doubtful: nearly all calls are priced so.
    #[inline]
    fn of_text(&self, usage: &Usage) -> Option<[i64; OF_TEXT.len()]> {
        let Usage { input_tokens: Some(input), output_tokens: Some(output), .. } = *usage else { return None };
        let others = [
            usage.audio_input_tokens,
            usage.image_input_tokens,
            usage.audio_output_tokens,
            usage.image_output_tokens,
            usage.requests,
        ];
        if !self.prices_text || others.iter().any(Option::is_some) {
            return None;
        }
        let (read, reasoning) = (count(usage.cache_read_tokens), count(usage.reasoning_tokens));
        let (write_5m, write_1h) = (count(usage.cache_write_5m_tokens), count(usage.cache_write_1h_tokens));
        let all = input | output | read | reasoning | count(usage.cache_write_tokens) | write_5m | write_1h;
        if !(0..=MAX_COUNT).contains(&all) {
            return None;
        }
        let written = usage.cache_write_tokens.unwrap_or(write_5m + write_1h);
        if read + written > input || write_5m + write_1h > written || reasoning > output {
            return None;
        }
        let own = |kind: Kind, count: i64| count & self.own[kind as usize];
        let (write_5m, write_1h) = (own(Kind::CacheWrite5m, write_5m), own(Kind::CacheWrite1h, write_1h));
        let written = own(Kind::CacheWrite, written - write_5m - write_1h);
        let (read, reasoning) = (own(Kind::CacheRead, read), own(Kind::Reasoning, reasoning));
        let fresh = input - read - written - write_5m - write_1h;
        Some([fresh, read, written, write_5m, write_1h, output - reasoning, reasoning, 1])
    }

    /// How many of each kind are charged as such, where that is known.
    #[inline]
    fn charged(&self, usage: &Usage) -> Result<[i64; KINDS], Unpriced> {
        self.check_presence(usage)?;
        let counts = self.counts(usage)?;
        self.only_fee.map_or(Ok(counts), |unit| Err(Unpriced::UncountedPart(unit)))
    }

    /// Refuses where the price hangs on a count that was not reported.
    fn check_presence(&self, usage: &Usage) -> Result<(), Unpriced> {
        match (usage.input_tokens, usage.output_tokens) {
            (Some(_), Some(_)) => {}
            (None, None) if !(self.input.free && self.output.free) => return Err(Unpriced::NoUsage),
            (None, _) if self.input.charged => return Err(Unpriced::MissingCount(Kind::Input)),
            (_, None) if self.output.charged => return Err(Unpriced::MissingCount(Kind::Output)),
            _ => {}
        }
        if let Some(unit) = self.input.uncounted
            && count(usage.input_tokens) > 0
        {
            return Err(Unpriced::UncountedPart(unit));
        }
        if count(usage.output_tokens) > 0 {
            if let Some(unit) = self.output.uncounted {
                return Err(Unpriced::UncountedPart(unit));
            }
            if self.images_out && usage.image_output_tokens.is_none() {
                return Err(Unpriced::UncountedPart(Unit::of(Kind::ImageOutput)));
            }
        }
        Ok(())
    }

    /// How many of each kind are charged as such: the whole less its parts that have their own rate.
    fn counts(&self, usage: &Usage) -> Result<[i64; KINDS], Unpriced> {
        let (write_5m, write_1h) = (count(usage.cache_write_5m_tokens), count(usage.cache_write_1h_tokens));
        let (read, reasoning) = (count(usage.cache_read_tokens), count(usage.reasoning_tokens));
        let (audio_in, image_in) = (count(usage.audio_input_tokens), count(usage.image_input_tokens));
        let (audio_out, image_out) = (count(usage.audio_output_tokens), count(usage.image_output_tokens));
        let (mut input, mut output) = (count(usage.input_tokens), count(usage.output_tokens));
        let requests = usage.requests.unwrap_or(1);
        // Before any sum: counts from outside may overflow one.
        let all = input | output | read | count(usage.cache_write_tokens) | write_5m | write_1h | audio_in | image_in;
        let all = all | reasoning | audio_out | image_out | requests;
        if !(0..=MAX_COUNT).contains(&all) {
            return Err(Unpriced::ImplausibleCount);
        }
        let written = usage.cache_write_tokens.unwrap_or(write_5m + write_1h);
        // A side without a whole came through because nothing is charged there, whatever its parts.
        if usage.input_tokens.is_none() {
            input = (read + written).max(audio_in + image_in);
        }
        if usage.output_tokens.is_none() {
            output = reasoning.max(audio_out + image_out);
        }
        let fits = read + written <= input
            && write_5m + write_1h <= written
            && audio_in + image_in <= input
            && reasoning <= output
            && audio_out + image_out <= output;
        if !fits {
            return Err(Unpriced::ContradictoryUsage);
        }
        let mut counts = [0; KINDS];
        for (kind, count) in [
            (Kind::CacheRead, read),
            (Kind::CacheWrite5m, write_5m),
            (Kind::CacheWrite1h, write_1h),
            (Kind::AudioInput, audio_in),
            (Kind::ImageInput, image_in),
            (Kind::Reasoning, reasoning),
            (Kind::AudioOutput, audio_out),
            (Kind::ImageOutput, image_out),
            (Kind::Requests, requests),
        ] {
            counts[kind as usize] = count & self.own[kind as usize];
        }
        let of = |kind: Kind| counts[kind as usize];
        let written = (written - of(Kind::CacheWrite5m) - of(Kind::CacheWrite1h)) & self.own[Kind::CacheWrite as usize];
        counts[Kind::CacheWrite as usize] = written;
        self.subtract_parts(input, output, counts)
    }

    fn subtract_parts(&self, input: i64, output: i64, mut counts: [i64; KINDS]) -> Result<[i64; KINDS], Unpriced> {
        let of = |kind: Kind| counts[kind as usize];
        let cached: i64 = CACHED.map(of).into_iter().sum();
        let modal_in = of(Kind::AudioInput) + of(Kind::ImageInput);
        let modal_out = of(Kind::AudioOutput) + of(Kind::ImageOutput);
        let ambiguous = (cached > 0 && modal_in > 0) || (of(Kind::Reasoning) > 0 && modal_out > 0);
        let (input, output) = (input - cached - modal_in, output - of(Kind::Reasoning) - modal_out);
        counts[Kind::Input as usize] = input;
        counts[Kind::Output as usize] = output;
        if !self.missing.is_empty()
            && let Some(kind) = self.missing.iter().find(|kind| counts[*kind as usize] > 0)
        {
            return Err(Unpriced::MissingRate(kind));
        }
        // How much of the one is also the other is not counted, and the rates differ.
        if ambiguous {
            return Err(Unpriced::AmbiguousParts);
        }
        Ok(counts)
    }
}

/// Whether a unit counts input tokens (true) or output tokens (false).
fn is_input(unit: Unit) -> Option<bool> {
    match unit.role() {
        Role::Counted(Kind::Requests) | Role::Fee | Role::AudioTime => None,
        Role::Counted(kind) | Role::PartOf(kind) => Some(kind.is_input()),
        Role::Overlap => Some(!unit.name().starts_with("output")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    /// Every tier that there is, and counts that fit, contradict each other, are missing, and are of more than text.
    #[test]
    fn calls_of_text_are_charged_as_all_others() {
        let mut state = 1u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut of_text, mut of_more) = (0, 0);
        for rule in Catalogue::built_in().rules() {
            for tier in Tariff::new(rule).tiers {
                for _ in 0..50 {
                    let mut count = |below, often| (next(100) < often).then(|| next(below) as i64);
                    let usage = Usage {
                        input_tokens: count(1_000, 95),
                        output_tokens: count(1_000, 95),
                        cache_read_tokens: count(400, 50),
                        cache_write_tokens: count(400, 40),
                        cache_write_5m_tokens: count(200, 20),
                        cache_write_1h_tokens: count(200, 20),
                        reasoning_tokens: count(600, 40),
                        audio_input_tokens: count(50, 3),
                        audio_output_tokens: count(50, 3),
                        image_input_tokens: count(50, 3),
                        image_output_tokens: None,
                        requests: None,
                    };
                    match tier.of_text(&usage) {
                        Some(counts) => {
                            let mut all = [0; KINDS];
                            OF_TEXT.iter().zip(counts).for_each(|(kind, count)| all[*kind as usize] = count);
                            assert_eq!(tier.charged(&usage), Ok(all), "{usage:?} {}", rule.id);
                            of_text += 1;
                        }
                        None => of_more += 1,
                    }
                }
            }
        }
        assert!(of_text > 1_000 && of_more > 1_000, "{of_text} {of_more}");
    }
}
