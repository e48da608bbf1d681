//! Exact decimals from text.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

/// Digits of the wide decimals.
const MOST_DIGITS: usize = 76;

/// A decimal from its text, with as many digits behind the point as are written.
#[must_use]
pub fn decimal(text: &str) -> Option<ScalarValue> {
    let (precision, scale) = digits(text)?;
    let data_type = match precision {
        ..=38 => DataType::Decimal128(38, scale),
        _ => DataType::Decimal256(76, scale),
    };
    ScalarValue::from(text.trim()).cast_to(&data_type).ok()
}

/// How many digits a number has, and how many of them behind the point; `None` for what is no plain number.
#[must_use]
pub fn digits(text: &str) -> Option<(u8, i8)> {
    let text = text.trim().trim_start_matches(['+', '-']);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = [whole, part].iter().all(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let count = whole.trim_start_matches('0').len() + part.len();
    if !plain || whole.len() + part.len() == 0 || count > MOST_DIGITS {
        return None;
    }
    Some((u8::try_from(count.max(1)).ok()?, i8::try_from(part.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_has_the_digits_that_are_written() {
        assert_eq!(digits("-0123.4500"), Some((7, 4)));
        assert_eq!(digits("0"), Some((1, 0)));
        assert_eq!(digits(".5"), Some((1, 1)));
        assert_eq!(digits("1e5"), None);
        assert_eq!(digits("."), None);
        assert_eq!(decimal("12.30"), Some(ScalarValue::Decimal128(Some(1230), 38, 2)));
        let long = "9".repeat(50);
        assert_eq!(decimal(&long).map(|value| value.to_string()), Some(long));
        assert_eq!(decimal("twelve"), None);
    }
}
