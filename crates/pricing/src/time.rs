//! When a rule is in force: from a moment to another, and at which hours of the UTC day.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Seconds in a day.
pub(crate) const DAY: u32 = 86_400;

/// A moment in nanoseconds since 1970, as `start_unix_nano` of the tables.
pub type UnixNanos = i64;

/// A window of the UTC day in seconds since midnight: from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hours {
    /// First second.
    pub start: u32,
    /// The second after the last; 86 400 is midnight.
    pub end: u32,
}

/// When a rule is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Period {
    /// From this moment on; none is always before.
    pub from: Option<UnixNanos>,
    /// Up to and without this moment; none is for good.
    pub to: Option<UnixNanos>,
    /// Only in these windows of each day; none is all day.
    pub hours: Vec<Hours>,
}

impl Period {
    /// Whether `at` is in it.
    #[must_use]
    pub fn covers(&self, at: UnixNanos) -> bool {
        self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at < to)
            && (self.hours.is_empty() || {
                let second = at.div_euclid(NANOS_PER_SECOND).rem_euclid(i64::from(DAY)) as u32;
                self.hours.iter().any(|window| window.start <= second && second < window.end)
            })
    }

    /// Its windows of the day as text: `01:00-04:00,06:00-10:00`.
    #[must_use]
    pub fn hours_text(&self) -> Option<String> {
        let windows: Vec<String> = self.hours.iter().map(Hours::to_string).collect();
        (!windows.is_empty()).then(|| windows.join(","))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", clock(self.start), clock(self.end))
    }
}

fn clock(second: u32) -> String {
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
}

/// Reads what [`Period::hours_text`] writes; windows that wrap around midnight become two.
#[must_use]
pub fn read_hours(text: &str) -> Option<Vec<Hours>> {
    let mut hours = Vec::new();
    for window in text.split(',') {
        let (start, end) = window.trim().split_once('-')?;
        let (start, end) = (read_clock(start)?, read_clock(end)?);
        match start.cmp(&end) {
            std::cmp::Ordering::Less => hours.push(Hours { start, end }),
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => {
                hours.push(Hours { start, end: DAY });
                if end > 0 {
                    hours.push(Hours { start: 0, end });
                }
            }
        }
    }
    hours.retain(|window| window.start < window.end);
    hours.sort_unstable();
    let overlap = hours.windows(2).any(|pair| pair[0].end > pair[1].start);
    (!hours.is_empty() && !overlap).then_some(hours)
}

fn read_clock(text: &str) -> Option<u32> {
    if text == "24:00" {
        return Some(DAY);
    }
    let time = ["%H:%M:%S", "%H:%M"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())?;
    Some(chrono::Timelike::num_seconds_from_midnight(&time))
}

/// Reads a date, which is its midnight in UTC, or a date and time with its offset.
#[must_use]
pub fn read_moment(text: &str) -> Option<UnixNanos> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return midnight(date).and_utc().timestamp_nanos_opt();
    }
    DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt()
}

fn midnight(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN)
}

/// A moment as [`read_moment`] reads it: the date alone at midnight.
#[must_use]
pub fn moment_text(at: UnixNanos) -> String {
    let time = DateTime::<Utc>::from_timestamp_nanos(at);
    if time.naive_utc() == midnight(time.date_naive()) {
        return time.date_naive().to_string();
    }
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_open_at_its_end() {
        let day = |text| read_moment(text).expect("a date");
        let period = Period { from: Some(day("2026-01-01")), to: Some(day("2026-02-01")), hours: vec![] };
        for (at, covered) in [
            ("2025-12-31T23:59:59.999999999Z", false),
            ("2026-01-01", true),
            ("2026-01-31T23:59:59Z", true),
            ("2026-02-01", false),
            ("2026-02-01T00:59:59+01:00", true),
        ] {
            assert_eq!(period.covers(day(at)), covered, "{at}");
        }
    }

    #[test]
    fn hours_are_those_of_the_utc_day_and_may_wrap() {
        let hours = read_hours("23:30-01:00").expect("hours");
        assert_eq!(hours, [Hours { start: 0, end: 3_600 }, Hours { start: 84_600, end: DAY }]);
        let period = Period { hours, ..Period::default() };
        assert_eq!(period.hours_text().as_deref(), Some("00:00-01:00,23:30-24:00"));
        for (at, covered) in [
            ("2026-05-05T23:29:59Z", false),
            ("2026-05-05T23:30:00Z", true),
            ("1969-12-31T00:59:59.5Z", true),
            ("2026-05-05T01:00:00Z", false),
        ] {
            assert_eq!(period.covers(read_moment(at).expect("a moment")), covered, "{at}");
        }
        for text in ["", "10:00", "10:00-10:00", "25:00-26:00", "01:00-03:00,02:00-04:00", "a-b"] {
            assert_eq!(read_hours(text), None, "{text}");
        }
    }

    #[test]
    fn moments_are_read_as_they_are_shown() {
        for text in ["2026-10-19", "2026-10-19T08:00:00Z", "2026-10-19T08:00:00.250Z", "1969-12-31"] {
            assert_eq!(moment_text(read_moment(text).expect("a moment")), text);
        }
        for text in ["2026-13-01", "2026-10-19T08:00:00", "yesterday", "9999-01-01", "1 January 2026"] {
            assert_eq!(read_moment(text), None, "{text}");
        }
    }
}
