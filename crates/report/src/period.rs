//! Periods as people name them, in a named time zone: a day, week, month, quarter or year of its calendar.
//!
//! A period begins and ends at local midnight, so a day of the change to daylight saving has 23 or 25 hours.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc, Weekday,
};
use chrono_tz::Tz;

use crate::error::ReportError;

/// What a period is of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// A stretch of the calendar in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    unit: Unit,
    first: NaiveDate,
    zone: Tz,
}

/// From a moment to another, the second not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Window {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// The time zone of that name.
///
/// # Errors
/// When the tz database has none.
pub fn zone(name: &str) -> Result<Tz, ReportError> {
    Tz::from_str(name).map_err(|_| {
        ReportError::Asked(format!("`{name}` is no time zone; write a name of the tz database, such as Europe/Berlin"))
    })
}

impl Period {
    /// Reads `2026-11-20`, `2026-W46`, `2026-11`, `2026-Q4`, `2026`, or `today`, `yesterday`, and `this-` or `last-`
    /// before `week`, `month`, `quarter` or `year`, seen from `now`.
    ///
    /// # Errors
    /// When it is none of these, or the calendar has no such period.
    pub fn parse(text: &str, zone: Tz, now: DateTime<Utc>) -> Result<Self, ReportError> {
        let wrong = || {
            ReportError::Asked(format!(
                "`{text}` is no period; write 2026-11-20, 2026-W46, 2026-11, 2026-Q4, 2026, yesterday, last-week, this-month"
            ))
        };
        let today = now.with_timezone(&zone).date_naive();
        if let Some((which, unit)) = relative(text) {
            let this = Self::around(unit, today, zone);
            return Ok(if which == "last" { this.previous() } else { this });
        }
        let (unit, first) = absolute(text).ok_or_else(wrong)?;
        Ok(Self { unit, first, zone })
    }

    /// The period of this kind that `date` is in.
    fn around(unit: Unit, date: NaiveDate, zone: Tz) -> Self {
        let first = match unit {
            Unit::Day => date,
            Unit::Week => date.week(Weekday::Mon).first_day(),
            Unit::Month => date - Days::new(u64::from(date.day0())),
            Unit::Quarter => {
                let month = date - Days::new(u64::from(date.day0()));
                month - Months::new(month.month0() % 3)
            }
            Unit::Year => date - Days::new(u64::from(date.ordinal0())),
        };
        Self { unit, first, zone }
    }

    /// The one before.
    #[must_use]
    pub fn previous(&self) -> Self {
        Self::around(self.unit, self.first - Days::new(1), self.zone)
    }

    /// The one after.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { first: self.after(), ..self.clone() }
    }

    /// The time zone whose midnights bound it.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// What a person calls one of these: `day`, `week`, …
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self.unit {
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
            Unit::Quarter => "quarter",
            Unit::Year => "year",
        }
    }

    /// The first date behind it.
    fn after(&self) -> NaiveDate {
        match self.unit {
            Unit::Day => self.first + Days::new(1),
            Unit::Week => self.first + Days::new(7),
            Unit::Month => self.first + Months::new(1),
            Unit::Quarter => self.first + Months::new(3),
            Unit::Year => self.first + Months::new(12),
        }
    }

    /// Its dates, in order.
    pub fn dates(&self) -> impl Iterator<Item = NaiveDate> + use<> {
        let after = self.after();
        self.first.iter_days().take_while(move |date| *date < after)
    }

    /// From its first moment to its last.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { since: midnight(self.first, self.zone), until: midnight(self.after(), self.zone) }
    }

    /// Whether it is over at `now`.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.window().until
    }

    /// As much of the period before as there is of this one at `now`: up to the same local time of the same day.
    #[must_use]
    pub fn before(&self, now: DateTime<Utc>) -> Window {
        let (own, whole) = (self.window(), self.previous().window());
        if now >= own.until || now <= own.since {
            return whole;
        }
        let local = now.with_timezone(&self.zone).naive_local();
        let gone = local - self.first.and_time(NaiveTime::MIN);
        let same = self.previous().first.and_time(NaiveTime::MIN) + gone;
        Window { until: instant(same, self.zone).min(whole.until), ..whole }
    }

    /// The moment at which a local date begins.
    #[must_use]
    pub fn midnight(&self, date: NaiveDate) -> DateTime<Utc> {
        midnight(date, self.zone)
    }
}

impl fmt::Display for Period {
    /// The name that says which it is on any day: `2026-W46`, never `last-week`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, .. } = self;
        match self.unit {
            Unit::Day => write!(f, "{first}"),
            Unit::Week => write!(f, "{}-W{:02}", first.iso_week().year(), first.iso_week().week()),
            Unit::Month => write!(f, "{}", first.format("%Y-%m")),
            Unit::Quarter => write!(f, "{}-Q{}", first.year(), first.month0() / 3 + 1),
            Unit::Year => write!(f, "{}", first.year()),
        }
    }
}

/// Times beyond are none to the engine.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2200;

fn relative(text: &str) -> Option<(&str, Unit)> {
    match text {
        "today" => return Some(("this", Unit::Day)),
        "yesterday" => return Some(("last", Unit::Day)),
        _ => {}
    }
    let (which, unit) = text.split_once('-')?;
    let unit = match unit {
        "day" => Unit::Day,
        "week" => Unit::Week,
        "month" => Unit::Month,
        "quarter" => Unit::Quarter,
        "year" => Unit::Year,
        _ => return None,
    };
    matches!(which, "this" | "last").then_some((which, unit))
}

fn absolute(text: &str) -> Option<(Unit, NaiveDate)> {
    let is_number = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = |part: &str, digits: usize| is_number(part, digits).then(|| part.parse::<u32>().ok()).flatten();
    let (year, rest) = text.split_once('-').map_or((text, None), |(year, rest)| (year, Some(rest)));
    let year = i32::try_from(number(year, 4)?).ok().filter(|year| YEARS.contains(year))?;
    let Some(rest) = rest else { return Some((Unit::Year, NaiveDate::from_ymd_opt(year, 1, 1)?)) };
    if let Some(week) = rest.strip_prefix('W') {
        return Some((Unit::Week, NaiveDate::from_isoywd_opt(year, number(week, 2)?, Weekday::Mon)?));
    }
    if let Some(quarter) = rest.strip_prefix('Q') {
        let month = number(quarter, 1)?.checked_sub(1)? * 3 + 1;
        return Some((Unit::Quarter, NaiveDate::from_ymd_opt(year, month, 1)?));
    }
    match rest.split_once('-') {
        None => Some((Unit::Month, NaiveDate::from_ymd_opt(year, number(rest, 2)?, 1)?)),
        Some((month, day)) => Some((Unit::Day, NaiveDate::from_ymd_opt(year, number(month, 2)?, number(day, 2)?)?)),
    }
}

fn midnight(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    instant(date.and_time(NaiveTime::MIN), zone)
}

/// `weeks` weeks before `time` by the clocks of `zone`: the same hour of the same weekday, also across their change.
pub(crate) fn weeks_before(time: DateTime<Utc>, weeks: i64, zone: Tz) -> DateTime<Utc> {
    match weeks {
        0 => time,
        _ => instant(time.with_timezone(&zone).naive_local() - TimeDelta::weeks(weeks), zone),
    }
}

/// The first moment at which clocks of `zone` show `local`, or the first one behind the hour that they skip.
fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    const STEP: TimeDelta = TimeDelta::minutes(1);
    // No zone ever skipped more than a day.
    let steps = std::iter::successors(Some(local), |time| Some(*time + STEP)).take(25 * 60);
    let shown = steps.filter_map(|time| zone.from_local_datetime(&time).earliest()).next();
    shown.map_or_else(|| local.and_utc(), |time| time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().expect("it is RFC 3339")
    }

    #[test]
    fn a_week_ago_the_clocks_showed_the_same() {
        // Clocks went back on 25 October: 09:30 was at 07:30 UTC before, and is at 08:30 since.
        let now = moment("2026-10-26T08:30:00Z");
        assert_eq!(weeks_before(now, 0, BERLIN), now);
        assert_eq!(weeks_before(now, 1, BERLIN), moment("2026-10-19T07:30:00Z"));
        assert_eq!(weeks_before(now, 1, chrono_tz::UTC), moment("2026-10-19T08:30:00Z"));
        // Clocks skipped 02:30 on 29 March.
        assert_eq!(weeks_before(moment("2026-04-05T00:30:00Z"), 1, BERLIN), moment("2026-03-29T01:00:00Z"));
    }

    fn period(text: &str) -> Period {
        // 01:30 on the 22nd in Berlin.
        Period::parse(text, BERLIN, moment("2026-11-22T00:30:00Z")).expect("it is a period")
    }

    fn bounds(text: &str) -> [String; 2] {
        let Window { since, until } = period(text).window();
        [since, until].map(|time| time.format("%F %H:%M").to_string())
    }

    #[test]
    fn periods_begin_and_end_at_local_midnight() {
        assert_eq!(bounds("2026-11-20"), ["2026-11-19 23:00", "2026-11-20 23:00"]);
        assert_eq!(bounds("2026-W47"), ["2026-11-15 23:00", "2026-11-22 23:00"]);
        assert_eq!(bounds("2026-11"), ["2026-10-31 23:00", "2026-11-30 23:00"]);
        assert_eq!(bounds("2026-Q4"), ["2026-09-30 22:00", "2026-12-31 23:00"]);
        assert_eq!(bounds("2026"), ["2025-12-31 23:00", "2026-12-31 23:00"]);
        // Week 1 of 2026 begins in 2025; 2026 has 53 weeks.
        assert_eq!(bounds("2026-W01"), ["2025-12-28 23:00", "2026-01-04 23:00"]);
        assert_eq!(bounds("2026-W53"), ["2026-12-27 23:00", "2027-01-03 23:00"]);
    }

    #[test]
    fn days_of_the_change_have_23_and_25_hours() {
        let hours = |text: &str| {
            let Window { since, until } = period(text).window();
            (until - since).num_hours()
        };
        assert_eq!((hours("2026-03-29"), hours("2026-10-25"), hours("2026-11-20")), (23, 25, 24));
        assert_eq!((hours("2026-W13"), hours("2026-W43")), (7 * 24 - 1, 7 * 24 + 1));
        // Clocks in Beirut went from 23:59:59 on the 28th to 01:00 on the 29th.
        let beirut = Period::parse("2026-03-29", chrono_tz::Asia::Beirut, Utc::now()).expect("it is a date");
        assert_eq!(beirut.window().since, moment("2026-03-28T22:00:00Z"));
    }

    #[test]
    fn names_relative_to_now_are_of_the_zone_and_become_absolute() {
        let names =
            ["today", "yesterday", "this-week", "last-week", "this-month", "last-month", "last-quarter", "last-year"];
        let shown = names.map(|name| period(name).to_string());
        assert_eq!(
            shown,
            ["2026-11-22", "2026-11-21", "2026-W47", "2026-W46", "2026-11", "2026-10", "2026-Q3", "2025"]
        );
        for name in &shown {
            assert_eq!(period(name).to_string(), *name);
        }
        assert_eq!(period("2026-W01").previous().to_string(), "2025-W52");
        assert_eq!(period("2026-Q4").next().to_string(), "2027-Q1");
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for wrong in [
            "",
            "2026-13",
            "2026-W54",
            "2027-W53",
            "2026-Q5",
            "2026-Q0",
            "2026-02-30",
            "26-11",
            "+026",
            "2999",
            "1969-12",
            "last",
            "last-day-x",
            "2026-1",
        ] {
            let told = Period::parse(wrong, BERLIN, Utc::now()).expect_err(wrong).to_string();
            assert!(told.contains("2026-W46"), "{told}");
        }
        assert!(zone("Europe/Berlim").is_err());
    }

    #[test]
    fn a_period_under_way_is_compared_with_as_much_of_the_one_before() {
        let now = moment("2026-11-18T11:00:00Z");
        let week = period("2026-W47");
        let before = week.before(now);
        assert_eq!((before.since, before.until), (moment("2026-11-08T23:00:00Z"), moment("2026-11-11T11:00:00Z")));
        assert_eq!(week.before(moment("2026-11-23T00:00:00Z")), period("2026-W46").window());
        // The 30th day of November has no like in a shorter month.
        let march = period("2026-03");
        assert_eq!(march.before(moment("2026-03-30T10:00:00Z")).until, period("2026-02").window().until);
        // Noon stays noon across the change.
        let week = period("2026-W44");
        assert_eq!(week.before(moment("2026-10-26T11:00:00Z")).until, moment("2026-10-19T10:00:00Z"));
    }
}
