//! Exact decimal amounts of money.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

/// An amount of money as an exact decimal: a whole number of 10⁻²⁴ of the currency's unit.
///
/// The scale is what the catalogues need: the finest rates in them have 18 digits after the point per million tokens,
/// which is 24 per token. 128 bits hold up to 10¹⁴ at that scale. As an Arrow column it is `Decimal128(38, 24)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Why a text is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    /// It is not a decimal number.
    #[error("is not a decimal number")]
    NotANumber,
    /// It has digits beyond 10⁻²⁴, which would have to be rounded away.
    #[error("has more than 24 digits after the point")]
    TooFine,
    /// It is beyond what 128 bits hold.
    #[error("is too large")]
    TooLarge,
}

impl Amount {
    /// Digits after the decimal point.
    pub const SCALE: u32 = 24;
    /// Nothing; a known price of nothing, never a stand-in for an unknown one.
    pub const ZERO: Self = Self(0);

    /// The amount of `units` times 10⁻²⁴.
    #[must_use]
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The amount in 10⁻²⁴, as a `Decimal128(38, 24)` holds it.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// A `divisor`-th of it, where that is exact.
    #[must_use]
    pub fn divided(self, divisor: u64) -> Option<Self> {
        let divisor = i128::from(divisor);
        (divisor != 0 && self.0 % divisor == 0).then(|| Self(self.0 / divisor))
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    /// Reads `12`, `-0.25` or `1.25e-07` digit by digit, without a binary float in between.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse().map_err(|_| NotAnAmount::NotANumber)?),
            None => (text, 0i32),
        };
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return Err(NotAnAmount::NotANumber);
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_end_matches('0');
        let trailing_zeros = (digits.len() - significant.len()) as i64;
        let mantissa = significant.trim_start_matches('0');
        if mantissa.is_empty() {
            return Ok(Self::ZERO);
        }
        let power = i64::from(Self::SCALE) + i64::from(exponent) - fraction.len() as i64 + trailing_zeros;
        let power = u32::try_from(power).map_err(|_| NotAnAmount::TooFine)?;
        let mantissa: i128 = mantissa.parse().map_err(|_| NotAnAmount::TooLarge)?;
        let units = 10i128.checked_pow(power).and_then(|factor| mantissa.checked_mul(factor));
        units.map(|units| Self(if negative { -units } else { units })).ok_or(NotAnAmount::TooLarge)
    }
}

impl fmt::Display for Amount {
    /// The shortest exact decimal: no exponent, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10u128.pow(Self::SCALE);
        let (whole, fraction) = (self.0.unsigned_abs() / one, self.0.unsigned_abs() % one);
        let mut text = whole.to_string();
        if fraction != 0 {
            let digits = format!("{fraction:024}");
            text = format!("{text}.{}", digits.trim_end_matches('0'));
        }
        f.pad_integral(!self.is_negative(), "", &text)
    }
}

impl Add for Amount {
    type Output = Self;

    /// Panics beyond 10¹⁴, where a sum that wrapped would be wrong without a word.
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("sums of money stay within 128 bits"))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_read_digit_by_digit() {
        for (text, shown) in [
            ("0", "0"),
            ("0.000", "0"),
            ("1.25", "1.25"),
            ("10", "10"),
            ("-0.5", "-0.5"),
            ("+3", "3"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1.25e-07", "0.000000125"),
            ("2E-6", "0.000002"),
            ("1.5e3", "1500"),
            ("0e99", "0"),
            // What a binary float would print as itself, and a decimal must keep.
            ("0.08333333333333334", "0.08333333333333334"),
            ("7.0000000000000007e-08", "0.000000070000000000000007"),
            ("1000000000000000000000000000000e-24", "1000000"),
        ] {
            assert_eq!(text.parse::<Amount>().map(|amount| amount.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_would_be_rounded_or_guessed_is_refused() {
        for text in ["", ".", "-", "e5", "1e", "1,5", "0x10", "NaN", "inf", "1_000", "--1", "1e1.5", " 1", "1 ", "١"] {
            assert_eq!(text.parse::<Amount>(), Err(NotAnAmount::NotANumber), "{text}");
        }
        assert_eq!("1e-25".parse::<Amount>(), Err(NotAnAmount::TooFine));
        assert_eq!("1.0000000000000000000000001".parse::<Amount>(), Err(NotAnAmount::TooFine));
        assert_eq!("1e15".parse::<Amount>(), Err(NotAnAmount::TooLarge));
        assert_eq!("1e999999999".parse::<Amount>(), Err(NotAnAmount::TooLarge));
        assert_eq!(format!("1{}", "0".repeat(60)).parse::<Amount>(), Err(NotAnAmount::TooLarge));
    }

    #[test]
    fn division_is_exact_or_none() {
        let amount = |text: &str| text.parse::<Amount>().expect("a number");
        assert_eq!(amount("1.25").divided(1_000_000), Some(amount("0.00000125")));
        assert_eq!(amount("1").divided(3), None);
        assert_eq!(amount("1").divided(0), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(units in any::<i128>()) {
            let amount = Amount::from_units(units);
            // The lowest number has no positive counterpart in 128 bits.
            prop_assume!(units != i128::MIN);
            prop_assert_eq!(amount.to_string().parse::<Amount>(), Ok(amount));
        }

        #[test]
        fn an_exponent_moves_the_point(mantissa in 0i64..1_000_000_000, exponent in -15i32..5) {
            let written: Amount = format!("{mantissa}e{exponent}").parse().expect("a number");
            let plain = i128::from(mantissa) * 10i128.pow(u32::try_from(24 + exponent).expect("in range"));
            prop_assert_eq!(written.units(), plain);
        }
    }
}
