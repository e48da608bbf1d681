//! Patterns of `to_char`, over moments and spans of time.

use chrono::DateTime;

use crate::cost;
use crate::pattern::{Pattern, Shown};

/// A letter can be a word, which takes two pieces in a vector that doubles as it grows.
const FACTOR: usize = 512;

/// Eight bytes for a moment and for a span of time, then a pattern.
pub(crate) fn check(data: &[u8]) {
    let Some((number, pattern)) = data.split_first_chunk() else { return };
    let (micros, pattern) = (i64::from_le_bytes(*number), String::from_utf8_lossy(pattern));
    let written = |shown: &Shown| cost::bounded(pattern.len(), FACTOR, || Pattern::read(&pattern).write(shown));

    // A moment has all that a pattern can ask for.
    if let Some(time) = DateTime::from_timestamp_micros(micros) {
        let offset = (number[0] > 127).then(|| i32::from(number[1]) * 900 - 115_200);
        let clocks = offset.filter(|offset| offset % 7200 == 0).map(|_| "CET".to_owned());
        let shown = Shown::at(time.naive_utc(), micros.rem_euclid(1_000_000) * 1_000, offset, clocks);
        assert!(written(&shown).is_ok(), "{pattern}");
    }
    let (months, days) = (micros >> 32, micros << 32 >> 32);
    let span = Shown::span(months, days, micros / 1_000_000_000, micros % 1_000_000_000);
    if let Err(told) = written(&span) {
        assert!(told.contains("span of time"), "{told}");
    }

    // What stands in quotes is copied.
    let text: String = pattern.chars().filter(|letter| !matches!(letter, '"' | '\\')).collect();
    let copied = Pattern::read(&format!("\"{text}\"")).write(&span);
    assert_eq!(copied.as_ref(), Ok(&text));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    // 29 March 2026, half past one in UTC, and a second and a half before 1970.
    let numbers: [i64; 3] = [1_774_747_800_123_400, -1_500_000, i64::MAX];
    let seed = |number: i64, pattern: &str| [&number.to_le_bytes()[..], pattern.as_bytes()].concat();
    numbers.into_iter().flat_map(|number| PATTERNS.map(|pattern| seed(number, pattern))).collect()
}

const PATTERNS: [&str; 10] = [
    "YYYY-MM-DD HH24:MI:SS.MS",
    "FMDay, FMDDth FMMonth YYYY, FMHH12:MI am",
    "MONTH|Month|month|MON|Mon|DAY|dy|RM|D|ID|Q|W|CC|J",
    "IYYY-\"W\"IW-ID IDDD DDD WW IYY IY I",
    "TZ tz OF FMOF TZH:TZM",
    "yy hh hh12 US FF1 FF2 FF3 FF4 FF5 FF6 SSSS SSSSS AM p.m. A.D. bc",
    "YYYY-MM-DD\"T\"HH24:MI \\\"x\\\" \"week\\\" \\\\\" IW",
    "Foo \u{5e74} Qth FX TMDay FMTMMonth|\"open",
    "Y,YYY YYY YY Y ADTH",
    "DDDDDDDDDDDDDDDDYYYYYYYYYYYYthth\"\\",
];
