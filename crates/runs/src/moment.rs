//! Points in time as people write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::ask::RunsError;

/// Microseconds since 1970 of what is written: `2026-11-20`, the start of that day in UTC; `2026-11-20T14:00:00Z`, or
/// with another offset; or how long before `now`: `2h`, `7d`.
///
/// # Errors
/// When it is none of these. A time without an offset may be any of many, and is refused.
pub fn parse_moment(text: &str, now: i64) -> Result<i64, RunsError> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_micros());
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros());
    }
    if let Ok(ago) = humantime::parse_duration(text) {
        let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        return Ok(now.saturating_sub(micros));
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return Err(RunsError::Moment(format!(
                "`{text}` does not say in which time zone; write {}, or with another offset such as +02:00",
                time.and_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
            )));
        }
    }
    Err(RunsError::Moment(format!(
        "`{text}` is no point in time; write 2026-11-20, 2026-11-20T14:00:00Z, or how long ago: 2h, 7d"
    )))
}

/// Microseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn rfc3339(micros: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_a_time_without_an_offset_is_refused_with_the_fix() {
        let now = 1_000_000_000_000_000;
        assert_eq!(parse_moment("1970-01-02", now).unwrap(), 86_400_000_000);
        assert_eq!(parse_moment("1970-01-01T01:00:00+01:00", now).unwrap(), 0);
        assert_eq!(parse_moment("2h", now).unwrap(), now - 7_200_000_000);
        let error = parse_moment("2026-11-20 14:00", now).unwrap_err().to_string();
        assert!(error.contains("write 2026-11-20T14:00:00Z"), "{error}");
        assert!(parse_moment("yesterday", now).is_err());
        assert_eq!(rfc3339(86_400_000_001), "1970-01-02T00:00:00.000001Z");
    }
}
