//! Times, periods and zones as arguments. What cannot be read is told before anything is asked or done.

use chrono::{DateTime, NaiveDate, Utc};
use tracewell_report::{Dimension, Period, zone};
use tracewell_runs::parse_moment;

/// A point in time: a date, a time with its offset, or how long ago.
pub(super) fn point(text: &str) -> Result<DateTime<Utc>, String> {
    let micros = parse_moment(text, crate::clock::now() / 1_000).map_err(|error| error.to_string())?;
    DateTime::from_timestamp_micros(micros).ok_or_else(|| format!("`{text}` is too far away"))
}

/// The text of one.
pub(super) fn moment(text: &str) -> Result<String, String> {
    point(text).map(|_| text.to_owned())
}

/// The text of a date.
pub(super) fn day(text: &str) -> Result<String, String> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("`{text}` is no date; write 2026-11-20")),
    }
}

/// The text of a period that reports are about.
pub(super) fn period(text: &str) -> Result<String, String> {
    let read = zone("UTC").and_then(|utc| Period::parse(text, utc, crate::clock::moment()));
    read.map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// The name of a time zone whose midnights bound periods.
pub(super) fn zone_name(text: &str) -> Result<String, String> {
    zone(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// The name of what costs can be broken down by.
pub(super) fn dimension(text: &str) -> Result<String, String> {
    Dimension::all_named(&[text]).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_with_what_can() {
        assert_eq!(point("2026-11-20").unwrap().to_rfc3339(), "2026-11-20T00:00:00+00:00");
        assert_eq!(point("2026-11-20T14:00:00+02:00").unwrap().to_rfc3339(), "2026-11-20T12:00:00+00:00");
        let ago = crate::clock::moment() - point("2h").unwrap();
        assert!((7_198..=7_200).contains(&ago.num_seconds()), "{ago}");
        assert!(moment("20.11.2026").unwrap_err().contains("write 2026-11-20"));
        assert_eq!(day("2026-11-20"), Ok("2026-11-20".to_owned()));
        assert!(day("2h").unwrap_err().contains("is no date"));
        assert_eq!(period("last-week"), Ok("last-week".to_owned()));
        assert!(period("tomorrow").unwrap_err().contains("is no period"));
        assert!(zone_name("Berlin").unwrap_err().contains("Europe/Berlin"));
        assert!(dimension("colour").unwrap_err().contains("team"));
    }
}
