//! Numbers and short texts for people.

/// `1,234,567`.
#[must_use]
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `1 row`, `2 rows`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A length of time to three digits: `1.23s`, `45ms`, `2h 5m`.
#[must_use]
pub fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let decimal = |unit: u64, name: &str| {
        let value = nanos as f64 / unit as f64;
        let places = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
        format!("{sign}{value:.places$}{name}")
    };
    let (second, minute, hour, day) = (1_000_000_000, 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000);
    let pair = |unit: u64, name: &str, part: u64, part_name: &str| {
        format!("{sign}{}{name} {}{part_name}", nanos / unit, nanos % unit / part)
    };
    match nanos {
        0 => "0s".to_owned(),
        1..=999 => format!("{sign}{nanos}ns"),
        1_000..=999_999 => decimal(1_000, "µs"),
        _ if nanos < second => decimal(1_000_000, "ms"),
        _ if nanos < minute => decimal(second, "s"),
        _ if nanos < hour => pair(minute, "m", second, "s"),
        _ if nanos < day => pair(hour, "h", minute, "m"),
        _ => pair(day, "d", hour, "h"),
    }
}

/// `text` without what moves a terminal's cursor, hides or reorders text: each such character becomes `\u{fffd}`. Line
/// ends and tabs stay.
#[must_use]
pub fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let is_hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    // What joins the parts of an emoji, or of a script's letters, hides nothing.
    let keeps = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    text.chars().map(|c| if is_hidden(c) && !keeps(c) { '\u{fffd}' } else { c }).collect()
}

/// `text` on one line.
pub(super) fn line(text: &str) -> String {
    tidy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([count(0), count(999), count(1_000), count(-1_234_567)], ["0", "999", "1,000", "-1,234,567"]);
        let durations =
            [0, 999, 1_500, 45_000_000, 999_900_000, 1_234_000_000, 65_000_000_000, 7_500_000_000_000, -2_000_000_000];
        let texts = ["0s", "999ns", "1.50µs", "45.0ms", "1000ms", "1.23s", "1m 5s", "2h 5m", "-2.00s"];
        assert_eq!(durations.map(duration), texts);
    }

    #[test]
    fn nothing_that_steers_a_terminal_or_hides_text_is_left() {
        assert_eq!(tidy("a\u{1b}[31mb\r\nc\u{9b}d\u{202e}e\tf\u{7}"), "a\u{fffd}[31mb\nc\u{fffd}d\u{fffd}e\tf\u{fffd}");
        assert_eq!(tidy("👩\u{200d}💻"), "👩\u{200d}💻");
        assert_eq!(line(" a\nb\t c "), "a b c");
    }
}
