//! Single values in the text and the binary form of PostgreSQL.

use std::fmt::Write;

use arrow::array::timezone::Tz;
use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone, Timelike};

/// Text into the buffer. Writing to memory cannot fail.
pub(super) fn text(out: &mut BytesMut, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// A float as PostgreSQL writes it: the shortest digits that read back as the same value.
pub(super) fn float(out: &mut BytesMut, value: f64, shortest: impl std::fmt::Display + std::fmt::LowerExp) {
    let size = value.abs();
    if value.is_nan() {
        out.put_slice(b"NaN");
    } else if value.is_infinite() {
        out.put_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else if size == 0.0 || (1e-4..1e15).contains(&size) {
        text(out, shortest);
    } else {
        let written = format!("{shortest:e}");
        let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        let sign = if exponent < 0 { '-' } else { '+' };
        text(out, format_args!("{digits}e{sign}{:02}", exponent.abs()));
    }
}

/// A date from days since 1970-01-01.
pub(super) fn date(out: &mut BytesMut, days: i32) {
    match NaiveDate::from_epoch_days(days) {
        Some(date) => ymd(out, date),
        None => out.put_slice(if days > 0 { b"infinity" } else { b"-infinity" }),
    }
}

fn ymd(out: &mut BytesMut, date: NaiveDate) {
    let (year, era) = if date.year() > 0 { (date.year(), "") } else { (1 - date.year(), " BC") };
    text(out, format_args!("{year:04}-{:02}-{:02}{era}", date.month(), date.day()));
}

/// A time of day from microseconds.
pub(super) fn time(out: &mut BytesMut, micros: i64) {
    let seconds = micros / 1_000_000;
    text(out, format_args!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    fraction(out, micros % 1_000_000);
}

fn fraction(out: &mut BytesMut, micros: i64) {
    if micros != 0 {
        let digits = format!("{:06}", micros.abs());
        text(out, format_args!(".{}", digits.trim_end_matches('0')));
    }
}

/// A timestamp from microseconds since 1970-01-01, in a zone where it has one.
pub(super) fn timestamp(out: &mut BytesMut, micros: i64, zone: Option<Tz>) {
    let utc = DateTime::from_timestamp_micros(micros).map(|utc| utc.naive_utc());
    let offset = zone.zip(utc).map(|(zone, utc)| zone.offset_from_utc_datetime(&utc).fix());
    let local = utc.and_then(|utc| offset.map_or(Some(utc), |offset| utc.checked_add_offset(offset)));
    let Some(local) = local else {
        out.put_slice(if micros > 0 { b"infinity" } else { b"-infinity" });
        return;
    };
    ymd(out, local.date());
    let of_day = local.num_seconds_from_midnight();
    text(out, format_args!(" {:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60));
    fraction(out, i64::from(local.nanosecond() / 1000));
    if let Some(offset) = offset {
        let seconds = offset.local_minus_utc();
        let sign = if seconds < 0 { '-' } else { '+' };
        let seconds = seconds.abs();
        text(out, format_args!("{sign}{:02}", seconds / 3600));
        if seconds % 3600 != 0 {
            text(out, format_args!(":{:02}", seconds / 60 % 60));
        }
    }
}

/// An interval in the style `postgres`. What is above nothing has a sign behind what is below.
pub(super) fn interval(out: &mut BytesMut, months: i32, days: i32, micros: i64) {
    let (start, mut is_below) = (out.len(), false);
    for (count, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if count != 0 {
            let space = if out.len() > start { " " } else { "" };
            let sign = if is_below && count > 0 { "+" } else { "" };
            let plural = if count == 1 { "" } else { "s" };
            text(out, format_args!("{space}{sign}{count} {unit}{plural}"));
            is_below = count < 0;
        }
    }
    if micros != 0 || out.len() == start {
        let space = if out.len() > start { " " } else { "" };
        let sign = if micros < 0 {
            "-"
        } else if is_below {
            "+"
        } else {
            ""
        };
        let micros = micros.saturating_abs();
        let seconds = micros / 1_000_000;
        text(out, format_args!("{space}{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
        fraction(out, micros % 1_000_000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).expect("it is text")
    }

    #[test]
    fn times_look_as_postgresql_writes_them() {
        // 2026-03-29 01:30 UTC is half an hour after the clocks of Berlin went forward.
        let micros = 1_774_747_800_123_400;
        let berlin: Tz = "Europe/Berlin".parse().expect("a zone");
        assert_eq!(written(|out| timestamp(out, micros, Some(berlin))), "2026-03-29 03:30:00.1234+02");
        assert_eq!(written(|out| timestamp(out, micros, None)), "2026-03-29 01:30:00.1234");
        let india: Tz = "+05:30".parse().expect("an offset");
        assert_eq!(written(|out| timestamp(out, 0, Some(india))), "1970-01-01 05:30:00+05:30");
        assert_eq!(written(|out| date(out, -1)), "1969-12-31");
        assert_eq!(written(|out| interval(out, 14, -3, -1_500_000)), "1 year 2 mons -3 days -00:00:01.5");
        assert_eq!(written(|out| interval(out, -14, 1, 0)), "-1 years -2 mons +1 day");
        assert_eq!(written(|out| interval(out, 0, -1, 7_200_000_000)), "-1 days +02:00:00");
        assert_eq!(written(|out| interval(out, 0, 0, 0)), "00:00:00");
    }

    #[test]
    fn floats_look_as_postgresql_writes_them() {
        for (value, expected) in [(0.1, "0.1"), (1e300, "1e+300"), (1.5e-7, "1.5e-07"), (-3.0, "-3"), (0.0, "0")] {
            assert_eq!(written(|out| float(out, value, value)), expected);
        }
        assert_eq!(written(|out| float(out, f64::NAN, f64::NAN)), "NaN");
    }
}
