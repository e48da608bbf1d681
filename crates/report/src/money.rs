//! Arithmetic and words of money beyond sums.

use tracewell_pricing::Amount;

/// `left` minus `right`.
#[must_use]
pub fn minus(left: Amount, right: Amount) -> Amount {
    Amount::from_units(left.units() - right.units())
}

/// `amount` times `times` over `over`, rounded towards zero to 10⁻²⁴; `None` where `over` is 0 or it becomes too large.
#[must_use]
pub fn times(amount: Amount, times: i64, over: i64) -> Option<Amount> {
    let (times, over) = (i128::from(times), i128::from(over));
    let whole = amount.units().checked_div(over)?;
    let rest = amount.units().checked_rem(over)?;
    // The rest is below `over`, so its product fits where both counts are of 64 bits.
    Some(Amount::from_units(whole.checked_mul(times)?.checked_add(rest * times / over)?))
}

/// How much `amount` is of `whole`.
#[must_use]
pub fn share(amount: Amount, whole: Amount) -> Option<f64> {
    (whole != Amount::ZERO).then(|| amount.units() as f64 / whole.units() as f64)
}

/// As people read it: whole cents from ten dollars on, else three digits that say something.
#[must_use]
pub fn dollars(amount: Amount) -> String {
    const DOLLAR: u128 = 10u128.pow(Amount::SCALE);
    let size = amount.units().unsigned_abs();
    let places = match size {
        0 => 2,
        _ if size >= 10 * DOLLAR => 2,
        _ => (0..Amount::SCALE).take_while(|places| size * 10u128.pow(*places) < DOLLAR).count() as u32 + 2,
    };
    let unit = 10u128.pow(Amount::SCALE - places.min(Amount::SCALE));
    let rounded = (size + unit / 2) / unit;
    let one = DOLLAR / unit;
    let whole = tracewell_blocks::count(i64::try_from(rounded / one).unwrap_or(i64::MAX));
    let width = places.min(Amount::SCALE) as usize;
    let sign = if amount.is_negative() && rounded != 0 { "−" } else { "" };
    format!("{sign}${whole}.{:0width$}", rounded % one)
}

/// The same, with `+` before what is above zero.
#[must_use]
pub fn signed(amount: Amount) -> String {
    let text = dollars(amount);
    if amount > Amount::ZERO { format!("+{text}") } else { text }
}

/// Writes an amount as exact text: a JSON number would go through a binary float.
pub(crate) fn text<S: serde::Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

/// The same of one that may not be known.
pub(crate) fn maybe_text<S: serde::Serializer>(amount: &Option<Amount>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => text(amount, serializer),
        None => serializer.serialize_none(),
    }
}

/// Reads an amount from exact text; absent and null are unknown.
pub(crate) fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    let text = <Option<String> as serde::Deserialize>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// The same, and from the JSON numbers of pages that were published when pictures had them.
pub(crate) fn read_any<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    let text = match <serde_json::Value as serde::Deserialize>::deserialize(deserializer)? {
        serde_json::Value::Null => return Ok(None),
        serde_json::Value::Number(number) => format!("{:.24}", number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => text,
        other => return Err(serde::de::Error::custom(format!("{other} is no amount"))),
    };
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// The same of one that has to be known.
pub(crate) fn read_known<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
    read_any(deserializer)?.ok_or_else(|| serde::de::Error::custom("an amount is missing"))
}

/// For pictures, which show fewer digits than a binary float has.
pub(crate) fn drawn(amount: Amount) -> f64 {
    amount.units() as f64 / 1e24
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Amount {
        text.parse().expect("it is an amount")
    }

    #[test]
    fn shares_of_money_are_exact_to_the_last_place() {
        assert_eq!(times(usd("10"), 1, 3), Some(usd("3.333333333333333333333333")));
        assert_eq!(times(usd("-10"), 2, 3), Some(usd("-6.666666666666666666666666")));
        assert_eq!(times(usd("1"), 1, 0), None);
        assert_eq!(times(usd("90000000000000"), i64::MAX, 1), None);
        assert_eq!(times(usd("1000000000"), 1_000_000_007, 1_000_000_007), Some(usd("1000000000")));
    }

    #[test]
    fn pages_that_were_published_with_numbers_can_still_be_read() {
        let read = |json: &str| read_any(&mut serde_json::Deserializer::from_str(json)).map_err(|_| ());
        assert_eq!(
            [read("null"), read("\"-0.05\""), read("0.25")],
            [Ok(None), Ok(Some(usd("-0.05"))), Ok(Some(usd("0.25")))]
        );
        assert_eq!(
            [read("2e-7").map(|amount| amount.map(dollars)), read("true").map(|_| None)],
            [Ok(Some("$0.000000200".into())), Err(())]
        );
        assert!(read_known(&mut serde_json::Deserializer::from_str("null")).is_err());
    }

    #[test]
    fn people_read_few_digits() {
        let shown = [
            "0",
            "1234567.891",
            "12.345",
            "9.999",
            "0.9996",
            "0.0412",
            "0.000412",
            "-3.5",
            "0.000000000000000000000001",
        ];
        let words = [
            "$0.00",
            "$1,234,567.89",
            "$12.35",
            "$10.00",
            "$1.000",
            "$0.0412",
            "$0.000412",
            "−$3.50",
            "$0.000000000000000000000001",
        ];
        assert_eq!(shown.map(|text| dollars(usd(text))), words);
        assert_eq!([signed(usd("1.5")), signed(usd("-1.5")), signed(Amount::ZERO)], ["+$1.50", "−$1.50", "$0.00"]);
    }
}
