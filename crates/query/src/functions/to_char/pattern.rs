//! PostgreSQL's patterns, as its documentation has them under *Template Patterns for Date/Time Formatting*.
//!
//! What is no pattern is copied, and so is what stands in double quotes. `TZ` is what the clocks of the zone are
//! called, such as `CET`, or an offset such as `+01`.

use std::fmt::Write;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// Why a pattern cannot be written, if it cannot.
type Result<T> = std::result::Result<T, String>;

/// What clocks and a calendar show, or how long a span of time is.
pub(super) struct Shown {
    /// `None` for a span of time.
    date: Option<NaiveDate>,
    year: i64,
    month: i64,
    day: i64,
    /// Of the day.
    second: i64,
    nanos: i64,
    /// Seconds that the zone is ahead of UTC.
    offset: Option<i32>,
    /// What the clocks of the zone go by then, where that is known.
    clocks: Option<String>,
}

impl Shown {
    pub(super) fn at(local: NaiveDateTime, nanos: i64, offset: Option<i32>, clocks: Option<String>) -> Self {
        let date = local.date();
        // There is no year 0 between those before Christ and after.
        let year = if date.year() > 0 { date.year() } else { 1 - date.year() };
        Self {
            date: Some(date),
            year: year.into(),
            month: date.month().into(),
            day: date.day().into(),
            second: local.num_seconds_from_midnight().into(),
            nanos,
            offset,
            clocks,
        }
    }

    pub(super) fn span(months: i64, day: i64, second: i64, nanos: i64) -> Self {
        Self { date: None, year: months / 12, month: months % 12, day, second, nanos, offset: None, clocks: None }
    }
}

/// A pattern, read.
pub(super) struct Pattern(Vec<Piece>);

enum Piece {
    Text(String),
    Field(Field),
}

#[derive(Clone, Copy)]
struct Field {
    word: &'static str,
    letters: Letters,
    prefix: Prefix,
    /// Of the `st`, `nd`, `rd` or `th` behind a number.
    ordinal: Option<Letters>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    Upper,
    Lower,
    Capital,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    None,
    /// No zeros before numbers and no blanks behind names.
    Short,
    /// Names of the language, which is English; without blanks.
    Translated,
}

/// Longer words come first.
const WORDS: [&str; 54] = [
    "MONTH", "SSSSS", "Y,YYY", "A.D.", "A.M.", "B.C.", "HH12", "HH24", "IDDD", "IYYY", "P.M.", "SSSS", "YYYY", "DAY",
    "DDD", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "IYY", "MON", "TZH", "TZM", "YYY", "AD", "AM", "BC", "CC", "DD",
    "DY", "FX", "HH", "ID", "IW", "IY", "MI", "MM", "MS", "OF", "PM", "RM", "SS", "TZ", "US", "WW", "YY", "D", "I",
    "J", "Q", "W", "Y",
];
const NAMES: [&str; 4] = ["MONTH", "MON", "DAY", "DY"];
/// `FM` leaves their zeros.
const FRACTIONS: [&str; 8] = ["MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// The Julian day before the first of the calendar.
const JULIAN: i64 = 1_721_425;

impl Pattern {
    pub(super) fn read(pattern: &str) -> Self {
        let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), pattern);
        while !rest.is_empty() {
            let prefix = match rest.get(..2) {
                Some("FM" | "fm") => Prefix::Short,
                Some("TM" | "tm") => Prefix::Translated,
                _ => Prefix::None,
            };
            if prefix != Prefix::None {
                rest = &rest[2..];
            }
            if let Some((word, letters)) = word(rest) {
                rest = &rest[word.len()..];
                let ordinal = match rest.get(..2) {
                    Some("TH") => Some(Letters::Upper),
                    Some("th") => Some(Letters::Lower),
                    _ => None,
                };
                if ordinal.is_some() {
                    rest = &rest[2..];
                }
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Field(Field { word, letters, prefix, ordinal }));
            } else if let Some(quoted) = rest.strip_prefix('"') {
                rest = copy(quoted, &mut text);
            } else {
                rest = rest.strip_prefix('\\').filter(|rest| rest.starts_with('"')).unwrap_or(rest);
                let mut letters = rest.chars();
                text.extend(letters.next());
                rest = letters.as_str();
            }
        }
        pieces.push(Piece::Text(text));
        Self(pieces)
    }

    pub(super) fn write(&self, shown: &Shown) -> Result<String> {
        let mut written = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => written.push_str(text),
                Piece::Field(field) => match field.number(shown)? {
                    Some((number, width)) => field.write_number(number, width, &mut written),
                    None => field.write_text(&field.text(shown)?, &mut written),
                },
            }
        }
        Ok(written)
    }
}

/// The word that a pattern begins with.
fn word(pattern: &str) -> Option<(&'static str, Letters)> {
    WORDS.into_iter().find_map(|word| {
        let found = pattern.get(..word.len()).filter(|found| found.eq_ignore_ascii_case(word))?;
        let is_small = |text: &str| !text.contains(|letter: char| letter.is_ascii_uppercase());
        if found == word {
            Some((word, Letters::Upper))
        } else if is_small(found) {
            Some((word, Letters::Lower))
        } else {
            (NAMES.contains(&word) && is_small(&found[1..])).then_some((word, Letters::Capital))
        }
    })
}

/// Copies what stands in quotes; what stands behind them.
fn copy<'a>(quoted: &'a str, text: &mut String) -> &'a str {
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => text.push(letters.next().unwrap_or('\\')),
            letter => text.push(letter),
        }
    }
    letters.as_str()
}

impl Field {
    fn date(self, shown: &Shown) -> Result<NaiveDate> {
        match shown.date {
            Some(date) => Ok(date),
            None => Err(format!("to_char: {} is of a date, and a span of time has none", self.word)),
        }
    }

    /// The number, and how many digits it has at least; `None` for what is no number.
    fn number(self, shown: &Shown) -> Result<Option<(i64, usize)>> {
        let Shown { year, month, day, second, nanos, .. } = *shown;
        let hour = second / 3600;
        let iso = || self.date(shown).map(|date| date.iso_week());
        let ordinal = || self.date(shown).map(|date| i64::from(date.ordinal()));
        Ok(Some(match self.word {
            "YYYY" => (year, 4),
            "YYY" => (year % 1000, 3),
            "YY" => (year % 100, 2),
            "Y" => (year % 10, 1),
            "CC" => (if shown.date.is_some() { (year + 99) / 100 } else { year / 100 }, 2),
            "IYYY" => (iso()?.year().into(), 4),
            "IYY" => (i64::from(iso()?.year()) % 1000, 3),
            "IY" => (i64::from(iso()?.year()) % 100, 2),
            "I" => (i64::from(iso()?.year()) % 10, 1),
            "Q" => ((month + 2) / 3, 1),
            "MM" => (month, 2),
            "WW" => ((ordinal()? + 6) / 7, 2),
            "W" => ((day + 6) / 7, 1),
            "IW" => (iso()?.week().into(), 2),
            "DDD" => (ordinal()?, 3),
            "IDDD" => {
                let weekday = self.date(shown)?.weekday().number_from_monday();
                (i64::from(iso()?.week0()) * 7 + i64::from(weekday), 3)
            }
            "DD" => (day, 2),
            "D" => (self.date(shown)?.weekday().number_from_sunday().into(), 1),
            "ID" => (self.date(shown)?.weekday().number_from_monday().into(), 1),
            "J" => (i64::from(self.date(shown)?.num_days_from_ce()) + JULIAN, 1),
            "HH24" => (hour, 2),
            "HH12" | "HH" => (if hour % 12 == 0 { 12 } else { hour % 12 }, 2),
            "MI" => (second / 60 % 60, 2),
            "SS" => (second % 60, 2),
            "SSSS" | "SSSSS" => (second, 1),
            "FF1" => (nanos / 100_000_000, 1),
            "FF2" => (nanos / 10_000_000, 2),
            "MS" | "FF3" => (nanos / 1_000_000, 3),
            "FF4" => (nanos / 100_000, 4),
            "FF5" => (nanos / 10_000, 5),
            "US" | "FF6" => (nanos / 1_000, 6),
            _ => return Ok(None),
        }))
    }

    fn text(self, shown: &Shown) -> Result<String> {
        let hour = shown.second / 3600;
        let name = |names: &[&str], position: u32| names[position as usize].to_owned();
        let either = |first: bool, one: &str, other: &str| String::from(if first { one } else { other });
        let offset = shown.offset.unwrap_or(0);
        if let Some(clocks) = shown.clocks.as_ref().filter(|_| self.word == "TZ") {
            return Ok(clocks.clone());
        }
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs() / 60);
        Ok(match self.word {
            "AM" | "PM" => either(hour.rem_euclid(24) < 12, "AM", "PM"),
            "A.M." | "P.M." => either(hour.rem_euclid(24) < 12, "A.M.", "P.M."),
            "AD" | "BC" => either(self.date(shown)?.year() > 0, "AD", "BC"),
            "A.D." | "B.C." => either(self.date(shown)?.year() > 0, "A.D.", "B.C."),
            "MONTH" => name(&MONTHS, self.date(shown)?.month0()),
            "MON" => name(&MONTHS, self.date(shown)?.month0())[..3].to_owned(),
            "DAY" => name(&DAYS, self.date(shown)?.weekday().num_days_from_sunday()),
            "DY" => name(&DAYS, self.date(shown)?.weekday().num_days_from_sunday())[..3].to_owned(),
            "RM" => name(&ROMAN, self.date(shown)?.month0()),
            "Y,YYY" => format!("{},{:03}", shown.year / 1000, shown.year % 1000),
            "FX" => String::new(),
            _ if shown.date.is_none() => {
                return Err(format!("to_char: a span of time has no zone, and so no {}", self.word));
            }
            "TZ" if shown.offset.is_none() => String::new(),
            "TZ" if offset == 0 => "UTC".to_owned(),
            "TZH" => format!("{sign}{:02}", minutes / 60),
            "TZM" => format!("{:02}", minutes % 60),
            // `TZ`, as PostgreSQL shows a zone whose clocks have no name, and `OF`.
            word => {
                let width = if self.prefix == Prefix::Short && word == "OF" { 1 } else { 2 };
                let hours = format!("{sign}{:0width$}", minutes / 60);
                match (minutes % 60, word) {
                    (0, _) => hours,
                    (minutes, "TZ") => format!("{hours}{minutes:02}"),
                    (minutes, _) => format!("{hours}:{minutes:02}"),
                }
            }
        })
    }

    fn write_number(self, number: i64, width: usize, written: &mut String) {
        let short = self.prefix == Prefix::Short && !FRACTIONS.contains(&self.word);
        let width = if short { 0 } else { width + usize::from(number < 0) };
        let _ = write!(written, "{number:0width$}");
        let Some(letters) = self.ordinal else { return };
        let ending = match (number.abs() / 10 % 10, number.abs() % 10) {
            (1, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        Self { letters, prefix: Prefix::Short, ..self }.write_text(ending, written);
    }

    fn write_text(self, text: &str, written: &mut String) {
        match self.letters {
            Letters::Upper => written.push_str(&text.to_ascii_uppercase()),
            Letters::Lower => written.push_str(&text.to_ascii_lowercase()),
            Letters::Capital => written.push_str(text),
        }
        let width: usize = match self.word {
            "MONTH" | "DAY" => 9,
            "RM" => 4,
            _ => 0,
        };
        if self.prefix == Prefix::None {
            written.extend(std::iter::repeat_n(' ', width.saturating_sub(text.len())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pattern: &str, shown: &Shown) -> String {
        Pattern::read(pattern).write(shown).expect("it has a date")
    }

    /// The third of February 2026 was a Tuesday of the sixth week.
    fn morning() -> Shown {
        let date = NaiveDate::from_ymd_opt(2026, 2, 3).expect("it is a date");
        Shown::at(date.and_hms_opt(0, 7, 5).expect("it is a time"), 12_345_678, Some(5 * 3600 + 45 * 60), None)
    }

    #[test]
    fn a_pattern_is_read_as_postgresql_reads_it() {
        for (pattern, expected) in [
            ("YYYY-MM-DD HH24:MI:SS.MS", "2026-02-03 00:07:05.012"),
            ("yy hh hh12 US FF1 SSSS AM p.m.", "26 12 12 012345 0 425 AM a.m."),
            ("MONTH|Month|month|MON|Mon|mon|", "FEBRUARY |February |february |FEB|Feb|feb|"),
            ("DAY|Day|DY|Dy|dy|D|ID", "TUESDAY  |Tuesday  |TUE|Tue|tue|3|2"),
            ("FMDay, FMDDth FMMonth TMDay|FMHH24:FMMI", "Tuesday, 3rd February Tuesday|0:7"),
            ("DDD IDDD WW IW IYYY Q CC W J RM|", "034 037 05 06 2026 1 21 1 2461075 II  |"),
            ("TZ tz OF FMOF TZH:TZM", "+0545 +0545 +05:45 +5:45 +05:45"),
            // As the documentation of PostgreSQL warns: `DDTH` is an ordinal, and text belongs in quotes.
            ("YYYY-MM-DDTHH24:MI", "2026-02-03RDH24:07"),
            (r#"YYYY-MM-DD"T"HH24:MI \"x\" "week" IW"#, r#"2026-02-03T00:07 "x" week 06"#),
            ("Foo \u{5e74} Qth FX|\"open", "Foo \u{5e74} 1st |open"),
            ("Y,YYY YYY Y AD", "2,026 026 6 AD"),
        ] {
            assert_eq!(written(pattern, &morning()), expected, "{pattern}");
        }
    }

    #[test]
    fn ordinals_end_as_english_has_them() {
        let ends = |day| {
            let date = NaiveDate::from_ymd_opt(2026, 3, day).expect("it is a date");
            written("FMDDth", &Shown::at(date.and_hms_opt(0, 0, 0).expect("it is a time"), 0, None, None))
        };
        assert_eq!(
            [1, 2, 3, 11, 12, 13, 21, 22].map(ends),
            ["1st", "2nd", "3rd", "11th", "12th", "13th", "21st", "22nd"]
        );
    }

    #[test]
    fn a_span_of_time_has_numbers_but_no_calendar() {
        let span = Shown::span(14, 3, 93_784, 500_000_000);
        assert_eq!(written("YYYY MM DD HH24:MI:SS.MS", &span), "0001 02 03 26:03:04.500");
        assert_eq!(written("HH24:MI", &Shown::span(0, 0, -5_400, 0)), "-01:-30");
        for pattern in ["Day", "IW", "OF", "TZ", "Mon", "J"] {
            assert!(Pattern::read(pattern).write(&span).is_err(), "{pattern}");
        }
    }
}
