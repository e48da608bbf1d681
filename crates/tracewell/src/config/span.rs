//! Lengths of time, as people write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time: `"5s"`, `"250ms"`, `"7d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeSpan(Duration);

impl TimeSpan {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(crate) const fn get(self) -> Duration {
        self.0
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&written(self.0))
    }
}

/// A length of time in one unit where there is one: years and months of some days and hours each are no use to anybody
/// who asked for 90 days. It can be read back.
pub(crate) fn written(length: Duration) -> String {
    const DAY: u64 = 86_400;
    let usual = humantime::format_duration(length).to_string();
    let days = length.as_secs() / DAY;
    if usual.contains(' ') && days > 1 && length == Duration::from_secs(days * DAY) {
        format!("{days}days")
    } else {
        usual
    }
}

/// A thousand years: so long before now there are dates.
const MOST: Duration = Duration::from_secs(1_000 * 31_557_600);

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |error: &str| {
            serde::de::Error::custom(format!("`{text}` is not a length of time ({error}); write it like 5s or 7d"))
        };
        match humantime::parse_duration(&text) {
            Ok(span) if span > MOST => Err(wrong("it is above a thousand years")),
            Ok(span) => Ok(Self(span)),
            Err(error) => Err(wrong(&error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_written_in_one_unit_and_read_back() {
        for (given, told) in [
            ("90d", "90days"),
            ("2weeks", "14days"),
            ("365d", "365days"),
            ("1d", "1day"),
            ("36h", "1day 12h"),
            ("1year", "1year"),
            ("6months", "6months"),
            ("250ms", "250ms"),
            ("0s", "0s"),
        ] {
            let length = humantime::parse_duration(given).unwrap();
            assert_eq!(written(length), told);
            assert_eq!(humantime::parse_duration(told), Ok(length));
        }
    }

    #[test]
    fn a_length_of_time_is_one_that_there_are_dates_for() {
        let read = |text: &str| serde_json::from_value::<TimeSpan>(text.into()).map_err(|error| error.to_string());
        assert_eq!(read("7d"), Ok(TimeSpan::seconds(7 * 86_400)));
        assert_eq!(read("1000years").map(|span| span.get()), Ok(MOST));
        assert!(read("300000years").is_err_and(|told| told.contains("above a thousand years")));
        assert!(read("soon").is_err_and(|told| told.contains("write it like 5s or 7d")));
    }
}
