//! Cells of tables that people open in a spreadsheet.
//!
//! There a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is a formula, which can fetch addresses
//! and start programs; what applications and their users sent must never be one. Such a cell gets an apostrophe in front.
//! A number is no formula and stays one, below zero as well.

use std::borrow::Cow;

/// `text` as a cell that is no formula.
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    // An apostrophe that was there already is told from ours by a second one.
    if is_formula(text.trim_start_matches('\'')) { format!("'{text}").into() } else { text.into() }
}

/// The text of a cell that [`cell`] made.
#[must_use]
pub fn text_of(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(text)
}

/// Digits with a minus, a point and an exponent, and nothing that could be reckoned with.
fn is_number(text: &str) -> bool {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    [whole, fraction, exponent].into_iter().all(is_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_come_back_and_numbers_stay() {
        for formula in [
            "=1+1",
            "+49 30 1234",
            "-2+3",
            "-",
            "-.5",
            "-1.",
            "-1e",
            "-0x1F",
            "-1,000",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "'=1",
            "''-x",
            "=HYPERLINK(\"https://x\")",
        ] {
            assert_eq!(cell(formula), format!("'{formula}"));
            assert_eq!(text_of(&cell(formula)), formula);
        }
        for plain in ["", "-0.005743", "-12", "-1.5e-7", "0.5", "a=b", "'tis", "−$0.50", " =1", "-1E+3"] {
            assert_eq!(cell(plain), plain);
            assert_eq!(text_of(&cell(plain)), plain);
        }
    }
}
