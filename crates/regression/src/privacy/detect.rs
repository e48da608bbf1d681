//! Personal data by its form.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Kind;

/// A form: what it looks like, and what part of that is one.
struct Form {
    kind: Kind,
    pattern: LazyLock<Regex>,
    /// Of a match, standing alone or not, the part that is meant. `None` where it is none after all.
    check: fn(&str) -> Option<usize>,
}

macro_rules! form {
    ($kind:ident, $pattern:literal, $check:expr) => {
        Form {
            kind: Kind::$kind,
            pattern: LazyLock::new(|| Regex::new($pattern).expect("a valid pattern")),
            check: $check,
        }
    };
}

static FORMS: [Form; 10] = [
    form!(
        Email,
        r"[\p{L}\p{N}][\p{L}\p{N}._%+'=/!#$&*?^{|}~-]*@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+\p{L}{2,}",
        whole
    ),
    form!(Iban, r"(?i)\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}\b", iban),
    // JCB's old numbers, those of most networks, Maestro's short ones.
    form!(
        Card,
        r"\b(?:1800(?:[ -]?[0-9]){11}|[2-6][0-9](?:[ -]?[0-9]){11,17}|(?:0604|(?:5[0678]|6[0-9])[0-9]{2})(?:[ -]?[0-9]){8})\b",
        card
    ),
    form!(Ssn, r"\b[0-9]{3}([- ])[0-9]{2}[- ][0-9]{4}\b", ssn),
    form!(Ip, r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b", ipv4),
    form!(Ip, r"(?i)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:(?:\.[0-9]{1,3}){3})?", ipv6),
    // Abroad: +49 30 123456, 0044 (0)20 7946 0000.
    form!(Phone, r"(?:\+|\b00)[1-9](?:[ ().\u{2010}-\u{2013}/-]{0,3}[0-9]){6,14}\b", whole),
    // North America: (212) 555-0123.
    form!(Phone, r"(?:\b1[ .-])?(?:\([2-9][0-9]{2}\) ?|\b[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}\b", whole),
    // With the 0 of long distance: 030 123456, 06 12 34 56 78, (020) 7946 0000.
    form!(Phone, r"(?:\(0[1-9][0-9]{0,4}\) ?|\b0[1-9][0-9]{0,4}[ ./-])[0-9]{2,9}(?:[ ./-][0-9]{2,5}){0,4}\b", national),
    // Any digits that are said to be one.
    form!(
        Phone,
        r"(?i)\b(?:(?:tele)?phone|tel|t[eé]l[eé]fon[eo]?|telefonnummer|t[eé]l[eé]phone|mobil[ey]?|m[oó]vil|handy|cell|celular|cellulare|fax|whatsapp|(?:call|ring|text|reach) (?:me|us) (?:on|at))\b[^0-9+\n]{0,20}(\+?[0-9](?:[ ().-]{0,2}[0-9]){4,14})\b",
        whole
    ),
];

/// Everything that has a form, not in order and overlapping.
pub(super) fn find(text: &str) -> Vec<(Kind, Range<usize>)> {
    let mut found = Vec::new();
    for form in &FORMS {
        let mut at = 0;
        while let Some(groups) = form.pattern.captures_at(text, at) {
            let Some(matched) = groups.get(1).filter(|_| form.kind == Kind::Phone).or(groups.get(0)) else { break };
            let length = (form.check)(matched.as_str());
            let range = matched.start()..matched.start() + length.unwrap_or_default();
            if length.is_some() && stands_alone(text, &range, &form.kind) {
                at = range.end;
                found.push((form.kind.clone(), range));
            } else {
                // One may begin within what is none: a card number after another number.
                at = matched.start() + matched.as_str().chars().next().map_or(1, char::len_utf8);
            }
        }
    }
    found
}

/// Whether numbers are not a part of something longer: an identifier, a version, a hash.
fn stands_alone(text: &str, range: &Range<usize>, kind: &Kind) -> bool {
    if *kind == Kind::Email {
        return true;
    }
    let joins = |c: Option<char>| c.is_some_and(|c| matches!(c, '-' | '.' | ':' | '_' | '/' | '+'));
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut before = text[..range.start].chars().rev();
    let mut after = text[range.end..].chars();
    let (last, next) = (before.next(), after.next());
    // A label in front, such as `ip:`, is no part of it; what follows a colon is none either.
    let joined_before = joins(last) && last != Some(':') && last != Some('/') && is_word(before.next());
    let joined_after = joins(next) && next != Some(':') && next != Some('/') && is_word(after.next());
    !(is_word(last) || is_word(next) || joined_before || joined_after)
}

fn whole(text: &str) -> Option<usize> {
    Some(text.len())
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.bytes().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'))
}

/// Beginnings of `text` that end with a group, the longest first: what follows a number may look like a part of it.
fn beginnings(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |at: &usize| {
        let next = text[*at..].chars().next();
        text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric()) && !next.is_some_and(|c| c.is_ascii_alphanumeric())
    };
    (1..=text.len()).rev().filter(is_end).map(|at| &text[..at])
}

/// With the length and the check digits of its country.
fn iban(text: &str) -> Option<usize> {
    let is_one = |text: &&str| {
        let compact: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        compact.to_ascii_uppercase().parse::<iban::Iban>().is_ok()
    };
    beginnings(text).find(is_one).map(str::len)
}

/// With Luhn's check digit (ISO/IEC 7812-1).
fn card(text: &str) -> Option<usize> {
    let is_one = |text: &&str| {
        let doubled = |(place, digit): (usize, u32)| match (place % 2, digit) {
            (0, digit) => digit,
            (_, 5..) => digit * 2 - 9,
            _ => digit * 2,
        };
        has_length_of_its_network(text) && digits(text).rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
    };
    beginnings(text).find(is_one).map(str::len)
}

fn has_length_of_its_network(text: &str) -> bool {
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    let lengths = match number.as_bytes() {
        [b'4', ..] => &[13, 16, 19][..],
        [b'2', b'1', b'3', b'1', ..] => &[15],
        [b'5', b'1'..=b'5', ..] | [b'2', ..] => &[16],
        [b'3', ..] => &[14, 15, 16, 19],
        [b'1', ..] => &[15],
        _ => &[12, 13, 14, 15, 16, 17, 18, 19],
    };
    lengths.contains(&number.len())
}

/// Numbers that are not given out are none.
fn ssn(text: &str) -> Option<usize> {
    let same = text.as_bytes()[3] == text.as_bytes()[6];
    let (area, group, serial) = (&text[..3], &text[4..6], &text[7..]);
    let given = !matches!(area, "000" | "666") && !area.starts_with('9') && group != "00" && serial != "0000";
    (same && given).then_some(text.len())
}

fn ipv4(text: &str) -> Option<usize> {
    let address: Ipv4Addr = text.parse().ok()?;
    (!address.is_loopback() && !address.is_unspecified()).then_some(text.len())
}

/// Three groups or more, one with a digit: `a::b` in a program is no address.
fn ipv6(text: &str) -> Option<usize> {
    let text = text.strip_suffix(':').filter(|text| !text.ends_with(':')).unwrap_or(text);
    let address: Ipv6Addr = text.parse().ok()?;
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    let looks_meant = groups >= 3 && text.bytes().any(|byte| byte.is_ascii_digit());
    (looks_meant && !address.is_loopback() && !address.is_unspecified()).then_some(text.len())
}

/// Nine digits to twelve, and no date.
fn national(text: &str) -> Option<usize> {
    static DATE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[0-9]{2}([./-])[0-9]{2}[./-](?:19|20)[0-9]{2}\b").expect("a valid pattern"));
    ((9..=12).contains(&digits(text).count()) && !DATE.is_match(text)).then_some(text.len())
}
