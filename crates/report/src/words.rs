//! Numbers as people read them.

use serde_json::Value;
use tracewell_pricing::Amount;

use crate::money::{dollars, minus, share, signed};
use crate::page::{Cell, Tone};

/// `12.3 %`, with a space that does not break; what is not nothing does not look so.
pub(crate) fn percent(share: f64) -> String {
    // Less is what arithmetic leaves of nothing.
    const LEAST: f64 = 1e-6;
    let size = share.abs() * 100.0;
    let places = if !(LEAST..100.0).contains(&size) {
        0
    } else if size < 0.05 {
        -size.log10().floor() as usize
    } else {
        1
    };
    // A line does not break before the sign.
    format!("{}{size:.places$}\u{a0}%", if share < 0.0 && size >= LEAST { "−" } else { "" })
}

/// `+12.3 %`.
pub(crate) fn change(share: f64) -> String {
    if share > 0.0 { format!("+{}", percent(share)) } else { percent(share) }
}

/// How `now` differs from `before`, as a share of that.
pub(crate) fn against(now: f64, before: f64) -> Option<f64> {
    (before != 0.0).then(|| now / before - 1.0)
}

/// A count.
pub(crate) fn count(number: i64) -> Cell {
    Cell::number(Some(number), |_| tracewell_blocks::count(number))
}

/// An amount that may not be known.
pub(crate) fn money(amount: Option<Amount>) -> Cell {
    Cell::number(amount.map(exact), |_| amount.map(dollars).unwrap_or_default())
}

/// The change of an amount: more is unwelcome.
pub(crate) fn more_money(now: Option<Amount>, before: Option<Amount>) -> Cell {
    let difference = minus(now.unwrap_or_default(), before.unwrap_or_default());
    let known = now.or(before).map(|_| exact(difference));
    Cell { tone: tone(difference), ..Cell::number(known, |_| signed(difference)) }
}

/// More spending is unwelcome, less is welcome.
pub(crate) fn tone(difference: Amount) -> Option<Tone> {
    match difference {
        Amount::ZERO => None,
        less if less.is_negative() => Some(Tone::Good),
        _ => Some(Tone::Bad),
    }
}

/// A share of a whole.
pub(crate) fn part(of: Option<Amount>, whole: Amount) -> Cell {
    ratio(of.and_then(|of| share(of, whole)))
}

/// A share that may not be known.
pub(crate) fn ratio(share: Option<f64>) -> Cell {
    Cell::number(share, |_| percent(share.unwrap_or_default()))
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Option<f64>) -> Cell {
    Cell::number(time, |_| tracewell_blocks::duration((time.unwrap_or_default() * 1e6) as i64))
}

/// A plain number with three digits after the point.
pub(crate) fn plain(number: Option<f64>) -> Cell {
    Cell::number(number, |_| decimal(number.unwrap_or_default()))
}

/// `0.873`, `12.4`.
pub(crate) fn decimal(number: f64) -> String {
    let places = if number.abs() >= 100.0 {
        0
    } else if number.abs() >= 10.0 {
        1
    } else {
        3
    };
    let text = format!("{:.places$}", number.abs());
    format!("{}{text}", if number < 0.0 { "−" } else { "" })
}

/// Exact text.
pub(crate) fn exact(amount: Amount) -> Value {
    Value::String(amount.to_string())
}

/// `one`, or `many` with how many.
pub(crate) fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", tracewell_blocks::count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_few_digits_and_a_sign_that_is_seen() {
        assert_eq!([0.0, 0.1234, -0.05, 1.5].map(percent), ["0\u{a0}%", "12.3\u{a0}%", "−5.0\u{a0}%", "150\u{a0}%"]);
        assert_eq!([0.0006, 0.0003, 0.000_034].map(percent), ["0.1\u{a0}%", "0.03\u{a0}%", "0.003\u{a0}%"]);
        assert_eq!([1e-17, -1e-17].map(percent), ["0\u{a0}%"; 2]);
        assert_eq!([0.5, -0.5, 0.0].map(change), ["+50.0\u{a0}%", "−50.0\u{a0}%", "0\u{a0}%"]);
        assert_eq!([0.8734, -12.44, 250.0].map(decimal), ["0.873", "−12.4", "250"]);
        assert_eq!(counted(1, "run", "runs") + &counted(1_200, "run", "runs"), "1 run1,200 runs");
    }
}
