//! Event time: days, and which times are believed.

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a UTC day.
pub const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// A UTC day, counted from 1970-01-01, as Arrow's `Date32` counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub i32);

impl Day {
    /// The day on which `unix_nanos` falls.
    #[must_use]
    pub fn of(unix_nanos: i64) -> Self {
        Self(unix_nanos.div_euclid(NANOS_PER_DAY) as i32)
    }

    /// Its first moment, in microseconds since 1970.
    #[must_use]
    pub fn start_micros(self) -> i64 {
        i64::from(self.0) * (NANOS_PER_DAY / 1_000)
    }

    /// `(year, month, day)` in the proleptic Gregorian calendar.
    ///
    /// Howard Hinnant's `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
    #[must_use]
    pub fn civil(self) -> (i32, u32, u32) {
        let z = i64::from(self.0) + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
        let year = (year_of_era + era * 400 + i64::from(month <= 2)) as i32;
        (year, month, day)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Start times before this are not believed (2015-01-01: before OpenTelemetry and before any model API).
pub const EARLIEST_BELIEVED: i64 = 16_436 * NANOS_PER_DAY;

/// The time by which a row is partitioned, and whether the sender's own time was not believed.
///
/// A start before 2015 or more than a day ahead of the receiver's clock would create partitions that no
/// retention rule ever reaches; such a row goes by the time it was received.
#[must_use]
pub fn believed_start(start: u64, received_at: i64) -> (i64, bool) {
    match i64::try_from(start) {
        Ok(start) if start >= EARLIEST_BELIEVED && start <= received_at.saturating_add(NANOS_PER_DAY) => (start, false),
        _ => (received_at, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_print_as_calendar_dates() {
        assert_eq!(Day(0).to_string(), "1970-01-01");
        assert_eq!(Day(-1).to_string(), "1969-12-31");
        assert_eq!(Day(11_016).to_string(), "2000-02-29");
        assert_eq!(Day(20_778).to_string(), "2026-11-21");
        assert_eq!(Day::of(EARLIEST_BELIEVED).to_string(), "2015-01-01");
    }

    #[test]
    fn unbelievable_starts_go_by_receive_time() {
        let now = 20_778 * NANOS_PER_DAY;
        assert_eq!(believed_start(now as u64 - 5, now), (now - 5, false));
        assert_eq!(believed_start(0, now), (now, true));
        assert_eq!(believed_start(u64::MAX, now), (now, true));
        assert_eq!(believed_start((now + 2 * NANOS_PER_DAY) as u64, now), (now, true));
    }
}
