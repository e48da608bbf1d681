//! Alerts: a query gives a value, a rule says when that is too much, and what was said before whether to say it again.
//!
//! ```text
//!               beyond the threshold, enough samples           within it
//!   (resolved) ─────────────── firing ──────────> (firing) ──── resolved ───> (resolved)
//!                                                    └─ still_firing, where it was last said long enough ago
//! ```
//!
//! Trials of replays and test harnesses are no traffic: only a budget, which limits what is paid, counts them.
//!
//! Too few samples and no value change nothing: an alert neither fires nor is resolved by what is not known. Under a
//! silence the state goes on, and nothing is sent before its end.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracewell_pricing::Amount;

use crate::ask::Row;
use crate::money::dollars;
use crate::words::percent;

mod question;

pub use question::Question;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// US dollars of the window.
    Cost,
    /// The part of a budget that is spent since its day, week, month, quarter or year began.
    Budget,
    /// The share of model calls that failed.
    ErrorRate,
    /// Within how many milliseconds 95 of 100 model calls answer.
    Latency,
    /// The share of model calls without a price.
    UnpricedShare,
    /// How far the mean of a score in the window is below that of the window before.
    ScoreDrop,
    /// Minutes since the last span; with a filter, since the last such call.
    MissingData,
    /// Cost in deviations from its mean in the same hours of the same weekday, by local clocks, of the eight weeks before.
    CostAnomaly,
    /// Failed calls, likewise.
    ErrorAnomaly,
    /// Calls, likewise: fewer count as much as more.
    TrafficAnomaly,
    /// What a query of the operator gives.
    Sql,
}

impl Measure {
    /// A value with its unit, as people read it; `None` for what is in a unit of its own.
    fn words(self, value: f64) -> Option<String> {
        Some(match self {
            Self::Cost => {
                let amount = format!("{value:.9}").parse::<Amount>();
                amount.map_or_else(|_| format!("${value:.2}"), dollars)
            }
            Self::Budget | Self::ErrorRate | Self::UnpricedShare => percent(value),
            Self::Latency => tracewell_blocks::duration((value * 1e6) as i64),
            Self::MissingData => tracewell_blocks::duration((value * 60e9) as i64),
            Self::CostAnomaly | Self::ErrorAnomaly | Self::TrafficAnomaly => format!("{value:.1} deviations"),
            Self::ScoreDrop | Self::Sql => return None,
        })
    }

    /// A value and the threshold that it is beyond or within, as people read them: with as many digits as tell one from
    /// the other.
    #[must_use]
    pub fn told(self, value: f64, threshold: f64) -> [String; 2] {
        let usual = [
            self.words(value).unwrap_or_else(|| format!("{value:.4}")),
            self.words(threshold).unwrap_or_else(|| threshold.to_string()),
        ];
        let is_elsewhere = |shown: f64| shown.partial_cmp(&threshold) != value.partial_cmp(&threshold);
        let is_alike = usual[0] == usual[1] || usual[0].parse::<f64>().is_ok_and(is_elsewhere);
        if value == threshold || !is_alike {
            return usual;
        }
        let (sign, of, unit) = match self {
            Self::Cost => ("$", 1.0, ""),
            Self::Budget | Self::ErrorRate | Self::UnpricedShare => ("", 100.0, "\u{a0}%"),
            Self::Latency => ("", 1.0, "ms"),
            Self::MissingData => ("", 60.0, "s"),
            Self::CostAnomaly | Self::ErrorAnomaly | Self::TrafficAnomaly => ("", 1.0, " deviations"),
            Self::ScoreDrop | Self::Sql => ("", 1.0, ""),
        };
        let with = |places: usize| [value, threshold].map(|number| format!("{sign}{:.places$}{unit}", number * of));
        (1..=15).map(with).find(|[value, threshold]| value != threshold).unwrap_or(usual)
    }

    /// The samples that a rule needs which says nothing of them: two weeks have no deviation to speak of.
    #[must_use]
    pub const fn usual_minimum(self) -> i64 {
        match self {
            Self::CostAnomaly | Self::ErrorAnomaly | Self::TrafficAnomaly => 3,
            _ => 0,
        }
    }
}

/// What a rule found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The value; absent where there is none.
    pub value: Option<f64>,
    /// How many calls, scores or weeks it rests on.
    pub samples: Option<i64>,
    /// Runs behind it.
    pub runs: Vec<String>,
    /// What it is of, where a rule looks at several things.
    pub about: Option<String>,
}

/// Runs that a firing names.
const RUNS: usize = 5;

impl Found {
    /// What a row of the answer says. `value` may be an exact decimal, which comes as text; `runs` is a list.
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let mut runs: Vec<String> = Vec::new();
        for run in row.get("runs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if runs.len() < RUNS && !runs.iter().any(|known| known == run) {
                runs.push(run.to_owned());
            }
        }
        Self {
            value: row.get("value").and_then(number),
            samples: row.get("samples").and_then(Value::as_i64),
            runs,
            about: row.get("about").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

/// When a value is too much, and how often that is said.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Beyond this it fires.
    pub threshold: f64,
    /// Below it fires, instead of above.
    pub below: bool,
    /// Fewer samples say nothing.
    pub minimum: i64,
    /// While it fires it is said again after so long; never when absent.
    pub again: Option<TimeDelta>,
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It fires, which it did not before.
    Firing,
    /// It fires still.
    StillFiring,
    /// It fires no more.
    Resolved,
}

impl Event {
    /// As the table `alerts` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::StillFiring => "still_firing",
            Self::Resolved => "resolved",
        }
    }

    /// The one that the table `alerts` has under that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Firing, Self::StillFiring, Self::Resolved].into_iter().find(|event| event.name() == name)
    }
}

impl Limit {
    /// What is to be said at `now`, where `last` is what was said last and when.
    #[must_use]
    pub fn event(&self, found: &Found, last: Option<(Event, DateTime<Utc>)>, now: DateTime<Utc>) -> Option<Event> {
        let value = found.value.filter(|value| value.is_finite())?;
        if found.samples.is_some_and(|samples| samples < self.minimum) {
            return None;
        }
        let beyond = if self.below { value < self.threshold } else { value > self.threshold };
        match (beyond, last) {
            (true, None | Some((Event::Resolved, _))) => Some(Event::Firing),
            (true, Some((_, at))) => self.again.is_some_and(|again| now - at >= again).then_some(Event::StillFiring),
            (false, None | Some((Event::Resolved, _))) => None,
            (false, Some(_)) => Some(Event::Resolved),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { threshold: 0.1, below: false, minimum: 20, again: Some(TimeDelta::hours(4)) };

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-11-20T{hour:02}:00:00Z").parse().expect("a moment")
    }

    fn found(value: f64, samples: i64) -> Found {
        Found { value: Some(value), samples: Some(samples), ..Found::default() }
    }

    #[test]
    fn an_alert_is_said_once_again_after_a_while_and_when_it_is_over() {
        let event = |value: f64, last, hour| LIMIT.event(&found(value, 20), last, at(hour));
        assert_eq!(event(0.1, None, 8), None, "the threshold itself is not beyond it");
        assert_eq!(event(0.2, None, 8), Some(Event::Firing));
        assert_eq!(event(0.2, Some((Event::Firing, at(8))), 11), None);
        assert_eq!(event(0.2, Some((Event::Firing, at(8))), 12), Some(Event::StillFiring));
        assert_eq!(event(0.2, Some((Event::StillFiring, at(12))), 15), None);
        assert_eq!(event(0.05, Some((Event::StillFiring, at(12))), 13), Some(Event::Resolved));
        assert_eq!(event(0.05, Some((Event::Resolved, at(13))), 23), None);
        assert_eq!(event(0.2, Some((Event::Resolved, at(13))), 14), Some(Event::Firing));
        let never = Limit { again: None, ..LIMIT };
        assert_eq!(never.event(&found(0.2, 20), Some((Event::Firing, at(1))), at(23)), None);
    }

    #[test]
    fn what_is_not_known_changes_nothing() {
        let firing = Some((Event::Firing, at(8)));
        for unknown in [found(0.9, 19), Found::default(), found(f64::NAN, 50)] {
            assert_eq!(LIMIT.event(&unknown, None, at(9)), None);
            assert_eq!(LIMIT.event(&unknown, firing, at(23)), None);
        }
        let below = Limit { below: true, ..LIMIT };
        assert_eq!(below.event(&found(0.05, 20), None, at(9)), Some(Event::Firing));
    }

    #[test]
    fn values_are_told_with_their_units() {
        let words = |measure: Measure, value| measure.words(value).unwrap_or_default();
        assert_eq!(words(Measure::Cost, 1_234.5), "$1,234.50");
        assert_eq!(words(Measure::ErrorRate, 0.05), "5.0\u{a0}%");
        assert_eq!(words(Measure::Budget, 1.5), "150\u{a0}%");
        assert_eq!(words(Measure::Latency, 2_500.0), "2.50s");
        assert_eq!(words(Measure::MissingData, 30.5), "30m 30s");
        assert_eq!(words(Measure::CostAnomaly, 4.26), "4.3 deviations");
        assert_eq!((Measure::Sql.words(2.0), Measure::ScoreDrop.words(0.3)), (None, None));
        assert_eq!((Measure::TrafficAnomaly.usual_minimum(), Measure::Cost.usual_minimum()), (3, 0));
    }

    #[test]
    fn a_value_does_not_read_like_the_threshold_that_it_is_beyond() {
        let told = |measure: Measure, value, threshold| measure.told(value, threshold).join(", ");
        assert_eq!(told(Measure::ErrorRate, 0.2, 0.05), "20.0\u{a0}%, 5.0\u{a0}%");
        assert_eq!(told(Measure::ErrorRate, 0.0504, 0.05), "5.04\u{a0}%, 5.00\u{a0}%");
        assert_eq!(told(Measure::ErrorRate, 0.05, 0.05), "5.0\u{a0}%, 5.0\u{a0}%");
        assert_eq!(told(Measure::Budget, 1.0004, 1.0), "100.04\u{a0}%, 100.00\u{a0}%");
        assert_eq!(told(Measure::Cost, 10.004, 10.0), "$10.004, $10.000");
        assert_eq!(told(Measure::Latency, 2_504.0, 2_500.0), "2504.0ms, 2500.0ms");
        assert_eq!(told(Measure::CostAnomaly, 3.04, 3.0), "3.04 deviations, 3.00 deviations");
        assert_eq!(
            [told(Measure::Sql, 2.0, 1.0), told(Measure::Sql, 1.000_04, 1.0)],
            ["2.0000, 1", "1.00004, 1.00000"]
        );
        // In four places it would be 0.1234, below what it is above.
        assert_eq!(told(Measure::Sql, 0.123_448, 0.123_44), "0.12345, 0.12344");
    }

    #[test]
    fn a_run_is_named_once_and_decimals_are_numbers() {
        let row = serde_json::json!({"value": "0.25", "samples": 7, "runs": ["a", "b", "a", "c", "d", "e", "f"]});
        let Some(row) = row.as_object() else { unreachable!("it is an object") };
        let runs = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(Found::of(row), Found { value: Some(0.25), samples: Some(7), runs, about: None });
    }

    #[test]
    fn a_query_of_ones_own_gets_the_window() {
        let question = |measure, sql: &str| Question {
            name: "own".into(),
            measure,
            sql: sql.into(),
            filter: String::new(),
            score: String::new(),
            window: TimeDelta::hours(1),
            allowed: tracewell_pricing::Amount::ZERO,
            limit: LIMIT,
            zone: chrono_tz::Europe::Berlin,
        };
        let sql = question(Measure::Sql, "SELECT 1 AS value WHERE $since < $until").query(at(9)).expect("it has one");
        assert_eq!(
            sql,
            "SELECT 1 AS value WHERE CAST('2026-11-20T08:00:00Z' AS timestamptz) < CAST('2026-11-20T09:00:00Z' AS timestamptz)"
        );
        assert!(question(Measure::Sql, " ").query(at(9)).is_err());
        let anomaly = question(Measure::CostAnomaly, "").query(at(9)).expect("it is ours");
        assert_eq!(anomaly.matches("UNION ALL").count(), 8);
        // 09:00 in Berlin is at 08:00 UTC on 20 November, and was at 07:00 UTC eight weeks before, in summer.
        let summer = "date BETWEEN DATE '2026-09-25' AND DATE '2026-09-25' AND start_time >= CAST('2026-09-25T07:00:00Z' AS timestamptz) \
            AND start_time < CAST('2026-09-25T08:00:00Z' AS timestamptz)";
        assert!(anomaly.contains(summer), "{anomaly}");
    }
}
