//! Budgets: what a stretch of the calendar may cost.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;
use tracewell_pricing::Amount;

use crate::error::ReportError;
use crate::money::times;
use crate::period::{Period, zone};
use crate::sql::quoted;

/// What calls may cost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What people call it.
    pub name: String,
    /// US dollars, as text, so that they stay exact.
    pub usd: String,
    /// For how long.
    pub per: Per,
    /// Only the calls of this team; of all without any of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Only those of this prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Only those of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only those of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only those in this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

/// For how long a budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Per {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Budget {
    /// The amount.
    ///
    /// # Errors
    /// When the text is none.
    pub fn amount(&self) -> Result<Amount, String> {
        let amount: Amount =
            self.usd.parse().map_err(|error| format!("budget `{}`: `{}` {error}", self.name, self.usd))?;
        if amount <= Amount::ZERO {
            return Err(format!("budget `{}`: `{}` is not above zero", self.name, self.usd));
        }
        Ok(amount)
    }

    /// Whether it is for all calls.
    #[must_use]
    pub fn is_of_all(&self) -> bool {
        self.scope().next().is_none()
    }

    fn scope(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("team", &self.team),
            ("prompt_name", &self.prompt),
            ("model", &self.model),
            ("service", &self.service),
            ("environment", &self.environment),
        ];
        all.into_iter().filter_map(|(column, value)| Some((column, value.as_deref()?)))
    }

    /// The condition that a row of `span_costs` is charged to it.
    #[must_use]
    pub fn condition(&self) -> String {
        let parts: Vec<String> = self.scope().map(|(column, value)| format!("{column} = {}", quoted(value))).collect();
        if parts.is_empty() { "true".to_owned() } else { parts.join(" AND ") }
    }

    /// How long ago the day, week, month, quarter or year began that it is for at `now`.
    ///
    /// # Errors
    /// When there is no such time zone.
    pub fn gone(&self, time_zone: &str, now: DateTime<Utc>) -> Result<TimeDelta, ReportError> {
        Ok(now - Period::parse(self.per.current(), zone(time_zone)?, now)?.window().since)
    }

    /// What it allows for `period`: for each of its days an equal part of the day's week, month, quarter or year.
    #[must_use]
    pub fn for_period(&self, period: &Period) -> Option<Amount> {
        let amount = self.amount().ok()?;
        let days: Vec<i64> = period.dates().map(|date| self.per.days(date)).collect();
        // Days of one length together, so that a month's budget for a month is itself.
        let mut lengths = days.clone();
        lengths.sort_unstable();
        lengths.dedup();
        let parts = lengths
            .into_iter()
            .map(|length| times(amount, days.iter().filter(|days| **days == length).count() as i64, length));
        parts.sum()
    }
}

/// The budget of all calls that `period` is held against: one for just such a period, or else the first.
pub(crate) fn of_all<'a>(budgets: &'a [Budget], period: &Period) -> Option<&'a Budget> {
    let of_all = || budgets.iter().filter(|budget| budget.is_of_all());
    of_all().find(|budget| budget.per.words().ends_with(period.noun())).or_else(|| of_all().next())
}

impl Per {
    /// How many days the week, month, quarter or year of `date` has.
    fn days(self, date: NaiveDate) -> i64 {
        let month = |year: i32, month: u32| NaiveDate::from_ymd_opt(year, month, 1);
        let between = |first: Option<NaiveDate>, after: Option<NaiveDate>| {
            first.zip(after).map_or(1, |(first, after)| (after - first).num_days())
        };
        let year = date.year();
        let first_of_next = |month0: u32| if month0 < 12 { month(year, month0 + 1) } else { month(year + 1, 1) };
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => between(month(year, date.month()), first_of_next(date.month())),
            Self::Quarter => {
                let first = date.month0() / 3 * 3;
                between(month(year, first + 1), first_of_next(first + 3))
            }
            Self::Year => between(month(year, 1), month(year + 1, 1)),
        }
    }

    /// The period of now, as [`Period::parse`] reads it.
    const fn current(self) -> &'static str {
        match self {
            Self::Day => "today",
            Self::Week => "this-week",
            Self::Month => "this-month",
            Self::Quarter => "this-quarter",
            Self::Year => "this-year",
        }
    }

    /// `a month`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Day => "a day",
            Self::Week => "a week",
            Self::Month => "a month",
            Self::Quarter => "a quarter",
            Self::Year => "a year",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(usd: &str, per: Per) -> Budget {
        let (name, usd) = ("all".into(), usd.into());
        Budget { name, usd, per, team: None, prompt: None, model: None, service: None, environment: None }
    }

    #[test]
    fn a_budget_is_spread_over_its_days() {
        let allows = |usd: &str, per: Per, period: &str| {
            let period = Period::parse(period, chrono_tz::UTC, chrono::Utc::now()).expect("a period");
            budget(usd, per).for_period(&period).map(|amount| amount.to_string())
        };
        assert_eq!(allows("100", Per::Month, "2026-11").as_deref(), Some("100"));
        assert_eq!(allows("300", Per::Month, "2026-W46").as_deref(), Some("70"));
        assert_eq!(allows("31", Per::Month, "2026-10").as_deref(), Some("31"));
        assert_eq!(allows("7", Per::Week, "2026-11").as_deref(), Some("30"));
        assert_eq!(allows("365", Per::Year, "2026-Q4").as_deref(), Some("92"));
        assert_eq!(allows("92", Per::Quarter, "2026-12").as_deref(), Some("31"));
    }

    #[test]
    fn a_week_is_held_against_the_budget_of_a_week() {
        let of_a_team = Budget { team: Some("t".into()), ..budget("1", Per::Week) };
        let budgets = [of_a_team, budget("2", Per::Month), budget("3", Per::Week)];
        let against = |period: &str| {
            let period = Period::parse(period, chrono_tz::UTC, chrono::Utc::now()).expect("a period");
            of_all(&budgets, &period).map(|budget| budget.usd.as_str())
        };
        let periods = ["2026-W47", "2026-11", "2026-11-20", "2026-Q4"].map(against);
        assert_eq!(periods, [Some("3"), Some("2"), Some("2"), Some("2")]);
    }

    #[test]
    fn a_budget_begins_with_its_month_in_its_time_zone() {
        let now = "2026-11-02T01:00:00Z".parse().expect("a moment");
        let gone = |per| budget("1", per).gone("Europe/Berlin", now).expect("there is such a zone").num_hours();
        assert_eq!((gone(Per::Day), gone(Per::Week), gone(Per::Month)), (2, 2, 26));
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        assert!(budget("-1", Per::Day).amount().is_err());
        assert!(budget("1,5", Per::Day).amount().is_err());
        let of = Budget { team: Some("o'hara".into()), model: Some("m".into()), ..budget("1", Per::Day) };
        assert_eq!(of.condition(), "team = 'o''hara' AND model = 'm'");
        assert!(!of.is_of_all() && budget("1", Per::Day).is_of_all());
    }
}
