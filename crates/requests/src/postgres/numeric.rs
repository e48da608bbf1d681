//! Exact decimals in binary, and where PostgreSQL's time begins.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};

/// Days from 1970-01-01 to 2000-01-01, where PostgreSQL's time begins.
pub const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// A decimal in binary, from its digits.
pub fn numeric(out: &mut BytesMut, digits: &str) {
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    // Groups of four digits, aligned at the point.
    let mut aligned = "0".repeat(whole.len().next_multiple_of(4) - whole.len());
    aligned += whole;
    let whole_groups = aligned.len() / 4;
    aligned += part;
    aligned += &"0".repeat(part.len().next_multiple_of(4) - part.len());
    let mut groups: Vec<i16> = aligned
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |number, digit| number * 10 + i16::from(digit.wrapping_sub(b'0'))))
        .collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let small = |number: usize| i16::try_from(number).unwrap_or(i16::MAX);
    let weight = if groups.is_empty() { 0 } else { small(whole_groups) - small(leading) - 1 };
    out.put_i16(small(groups.len()));
    out.put_i16(weight);
    out.put_u16(if negative && !groups.is_empty() { 0x4000 } else { 0 });
    out.put_i16(small(part.len()));
    groups.into_iter().for_each(|group| out.put_i16(group));
}

/// The digits of a decimal in binary; `None` when it is none, or no number.
#[must_use]
pub fn numeric_digits(bytes: &[u8]) -> Option<String> {
    let mut fields = bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, scale) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let groups: Vec<i16> = fields.collect();
    if groups.len() != usize::try_from(count).ok()? || !matches!(sign, 0 | 0x4000) || !(0..=1000).contains(&scale) {
        return None;
    }
    let group = |power: i32| {
        let index = i32::from(weight) - power;
        usize::try_from(index).ok().and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let mut digits = String::from(if sign == 0 { "" } else { "-" });
    if !(-250..=250).contains(&weight) || groups.iter().any(|group| !(0..10_000).contains(group)) {
        return None;
    }
    let mut whole = String::new();
    for power in (0..=i32::from(weight)).rev() {
        let _ = write!(whole, "{:04}", group(power));
    }
    let whole = whole.trim_start_matches('0');
    digits += if whole.is_empty() { "0" } else { whole };
    if scale > 0 {
        let mut part = String::new();
        for power in 1..=(i32::from(scale) + 3) / 4 {
            let _ = write!(part, "{:04}", group(-power));
        }
        part.truncate(usize::try_from(scale).ok()?);
        digits = digits + "." + &part;
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_in_binary_are_read_back() {
        for digits in ["0", "-1", "0.00001", "12345678901234567890.0012", "10000", "-0.1000", "9999.9999"] {
            let mut out = BytesMut::new();
            numeric(&mut out, digits);
            assert_eq!(numeric_digits(&out).as_deref(), Some(digits));
        }
        // As PostgreSQL sends 12345.678.
        let mut out = BytesMut::new();
        numeric(&mut out, "12345.678");
        assert_eq!(out[..], [0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 9, 41, 26, 124]);
        assert_eq!(numeric_digits(&[0, 9, 0]), None);
    }
}
