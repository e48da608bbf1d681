//! How cost went over the period, step by step of time, and how it will go on.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use tracewell_pricing::Amount;

use crate::ask::{Questions, RowSource};
use crate::error::ReportError;
use crate::figures::{self, Step};
use crate::forecast::{DayLeft, Forecast, PastDay, forecast};
use crate::money::dollars;
use crate::page::{Chart, Column, Data};
use crate::period::Window;
use crate::request::Request;
use crate::words::counted;

/// Cost over time.
pub(crate) struct Course {
    pub(crate) query: usize,
    steps: BTreeMap<String, Step>,
    title: &'static str,
    /// The key, the label and whether it has begun, of each step of the period, and the key of its like before.
    period: Vec<Place>,
}

struct Place {
    key: String,
    label: String,
    has_begun: bool,
    before: Option<String>,
}

/// The form in which an hour is a key, and its length: that of a moment in rows, without its zone.
const HOUR: (&str, usize) = ("%Y-%m-%dT%H:%M:%S", 19);

/// Past days that a forecast rests on.
const PAST_DAYS: i64 = 28;

impl Course {
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        request: &Request,
    ) -> Result<Self, ReportError> {
        let condition = Window { since: since(request), ..request.window() }.condition("start_time");
        let answer = figures::steps(questions, request, &condition).await?;
        let hourly = request.period.noun() == "day";
        let period = if hourly { hours(request) } else { days(request) };
        let steps = answer.rows.into_iter();
        let key = |step: &Step| if hourly { step.step.chars().take(HOUR.1).collect() } else { step.step.clone() };
        Ok(Self {
            query: answer.number,
            steps: steps.map(|step| (key(&step), step)).collect(),
            title: if hourly { "Cost by hour" } else { "Cost by day" },
            period,
        })
    }

    /// What a step cost; `None` where it has calls, and none of them a price.
    fn cost(&self, key: &str) -> Option<Amount> {
        match self.steps.get(key) {
            Some(step) if step.calls > 0 => step.cost_usd,
            _ => Some(Amount::ZERO),
        }
    }

    /// Steps of the period that have passed without a single call, and how many have passed.
    pub(crate) fn silent(&self) -> (Vec<&str>, usize) {
        let passed: Vec<&Place> = self.period.iter().filter(|place| place.has_begun).collect();
        let silent = passed.iter().filter(|place| self.steps.get(&place.key).is_none_or(|step| step.calls == 0));
        (silent.map(|place| place.label.as_str()).collect(), passed.len())
    }

    /// How many of the steps before, whose like has passed, had not a single call, and how many these are.
    pub(crate) fn silent_before(&self) -> (usize, usize) {
        let passed = self.period.iter().filter(|place| place.has_begun);
        let before: Vec<&String> = passed.filter_map(|place| place.before.as_ref()).collect();
        let silent = before.iter().filter(|key| self.steps.get(**key).is_none_or(|step| step.calls == 0));
        (silent.count(), before.len())
    }

    /// The picture.
    pub(crate) fn chart(&self) -> Chart {
        let mut columns: Vec<Column> = self.period.iter().map(|place| self.column(place)).collect();
        let is_compared = columns.iter().any(|column| column.before.is_some_and(|before| before != Amount::ZERO));
        if !is_compared {
            columns.iter_mut().for_each(|column| column.before = None);
        }
        let begun = self.period.iter().filter(|place| place.has_begun);
        let dearest = begun.filter_map(|place| Some((self.cost(&place.key)?, place))).max_by_key(|(cost, _)| *cost);
        let dearest = dearest.map(|(cost, place)| match cost {
            Amount::ZERO => "none is known to have cost anything".to_owned(),
            _ => format!("the dearest is {} with {}", place.label, dollars(cost)),
        });
        let description = format!(
            "A column for each of {}; {}.{}",
            counted(columns.len() as i64, "step", "steps"),
            dearest.unwrap_or_else(|| "of none the cost is known".into()),
            if is_compared { " The line is the period before." } else { "" }
        );
        Chart { title: self.title.into(), description, data: Data::Columns(columns), queries: vec![self.query] }
    }

    fn column(&self, place: &Place) -> Column {
        let value = self.cost(&place.key).filter(|_| place.has_begun);
        let unknown = if place.has_begun { "no price" } else { "not yet" };
        Column {
            label: place.label.clone(),
            value,
            text: value.map_or_else(|| unknown.into(), dollars),
            before: place.before.as_deref().and_then(|key| self.cost(key)),
        }
    }

    /// What the period will have cost at its end, where it is under way.
    pub(crate) fn forecast(&self, request: &Request, spent: Amount) -> Option<(Forecast, usize)> {
        if request.is_over() || request.period.noun() == "day" {
            return None;
        }
        let today = request.now.with_timezone(&request.period.zone()).date_naive();
        let first = self.steps.values().find(|step| step.calls > 0)?.step.parse::<NaiveDate>().ok()?;
        let first = first.max(today - TimeDelta::days(PAST_DAYS));
        let past: Vec<PastDay> = first
            .iter_days()
            .take_while(|date| *date < today)
            .filter_map(|date| Some(PastDay { weekday: weekday(date), cost: self.cost(&date.to_string())? }))
            .collect();
        let left: Vec<DayLeft> =
            request.period.dates().filter(|date| *date >= today).map(|date| left(request, date)).collect();
        Some((forecast(spent, &past, &left)?, self.query))
    }
}

/// The beginning of the period before; of the days that a forecast rests on where they begin earlier, at local midnight.
fn since(request: &Request) -> DateTime<Utc> {
    let before = request.period.previous().window().since;
    let first = request.period.dates().next().filter(|_| !request.is_over());
    first.map_or(before, |first| before.min(request.period.midnight(first - TimeDelta::days(PAST_DAYS))))
}

fn weekday(date: NaiveDate) -> u8 {
    date.weekday().num_days_from_monday() as u8
}

/// How much of `date` is still to come.
fn left(request: &Request, date: NaiveDate) -> DayLeft {
    let (since, until) = (request.period.midnight(date), request.period.midnight(date + TimeDelta::days(1)));
    let length = (until - since).num_seconds().max(1) as f64;
    let to_come = (until - request.now.max(since)).num_seconds().max(0) as f64;
    DayLeft { weekday: weekday(date), share: to_come / length }
}

fn days(request: &Request) -> Vec<Place> {
    let before: Vec<NaiveDate> = request.period.previous().dates().collect();
    let dates = request.period.dates().enumerate();
    let form = if request.period.noun() == "week" { "%a %-d" } else { "%-d %b" };
    dates
        .map(|(position, date)| Place {
            key: date.to_string(),
            label: date.format(form).to_string(),
            has_begun: request.period.midnight(date) < request.now,
            before: before.get(position).map(NaiveDate::to_string),
        })
        .collect()
}

fn hours(request: &Request) -> Vec<Place> {
    let (window, before) = (request.period.window(), request.period.previous().window());
    let key = |time: DateTime<Utc>| time.format(HOUR.0).to_string();
    // Clocks that are put by half an hour leave no hours to compare with.
    let is_comparable = (window.since - before.since).num_seconds() % 3600 == 0;
    let hours = std::iter::successors(Some(window.since), |time| Some(*time + TimeDelta::hours(1)));
    hours
        .take_while(|time| *time < window.until)
        .map(|time| {
            let like = before.since + (time - window.since);
            Place {
                key: key(time),
                label: time.with_timezone(&request.period.zone()).format("%H:%M").to_string(),
                has_begun: time < request.now,
                before: (is_comparable && like < before.until).then(|| key(like)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::{Period, zone};
    use crate::request::Report;

    fn request(period: &str, time_zone: &str, now: &str) -> Request {
        let now = now.parse().expect("a moment");
        let zone = zone(time_zone).expect("a zone");
        let period = Period::parse(period, zone, now).expect("a period");
        Request {
            report: Report::Cost,
            period,
            now,
            by: Vec::new(),
            budgets: Vec::new(),
            good: crate::GoodOutcome::default(),
            links: String::new(),
        }
    }

    fn course(request: &Request, steps: &[(&str, i64, &str)]) -> Course {
        let step = |(key, calls, cost): &(&str, i64, &str)| {
            let cost_usd = Some(cost.parse().expect("an amount"));
            (key.to_string(), Step { step: key.to_string(), calls: *calls, cost_usd })
        };
        let period = if request.period.noun() == "day" { hours(request) } else { days(request) };
        Course { query: 1, steps: steps.iter().map(step).collect(), title: "", period }
    }

    #[test]
    fn hours_begin_at_local_midnight() {
        for (zone, first, like) in [
            // Five and a half, five and three quarters ahead of UTC.
            ("Asia/Kolkata", "2026-11-17T18:30:00", "2026-11-16T18:30:00"),
            ("Asia/Kathmandu", "2026-11-17T18:15:00", "2026-11-16T18:15:00"),
            ("UTC", "2026-11-18T00:00:00", "2026-11-17T00:00:00"),
        ] {
            let request = request("2026-11-18", zone, "2026-11-20T00:00:00Z");
            let hours = hours(&request);
            assert_eq!((hours[0].key.as_str(), hours[0].label.as_str()), (first, "00:00"), "{zone}");
            assert_eq!((hours[0].before.as_deref(), hours.len()), (Some(like), 24), "{zone}");
            assert_eq!(hours[23].label, "23:00", "{zone}");
        }
    }

    #[test]
    fn a_day_of_the_change_has_the_hours_that_it_has() {
        // Berlin at 03:00 goes back to 02:00: 25 hours, of which the last has no like on the day before.
        let hours_of = |day: &str, zone: &str| hours(&request(day, zone, "2027-06-01T00:00:00Z"));
        let long = hours_of("2026-10-25", "Europe/Berlin");
        assert_eq!((long.len(), long[2].label.as_str(), long[3].label.as_str()), (25, "02:00", "02:00"));
        assert_eq!((long[24].before.is_none(), long[23].before.is_some()), (true, true));
        assert_eq!(hours_of("2026-03-29", "Europe/Berlin").len(), 23);
        // Lord Howe Island changes by half an hour: the day behind has no hour in common with the day of it.
        assert!(hours_of("2027-04-05", "Australia/Lord_Howe").iter().all(|hour| hour.before.is_none()));
    }

    #[test]
    fn a_forecast_rests_on_whole_days_also_across_a_change_of_clocks() {
        // Clocks in Berlin went back on 25 October, the day before this week: 28 days back midnight was at 22:00 UTC.
        let since_of = |now| since(&request("2026-W44", "Europe/Berlin", now)).to_rfc3339();
        assert_eq!(since_of("2026-10-26T12:00:00Z"), "2026-09-27T22:00:00+00:00");
        assert_eq!(since_of("2026-11-02T00:00:00Z"), "2026-10-18T22:00:00+00:00", "over: from the week before");
    }

    #[test]
    fn hours_are_counted_from_midnight_in_sql_too() {
        let sql = |zone| figures::hour_of(request("2026-11-18", zone, "2026-11-20T00:00:00Z").window().since);
        assert_eq!(sql("Europe/Berlin"), "date_trunc('hour', start_time)");
        assert_eq!(
            sql("Asia/Kolkata"),
            "date_trunc('hour', start_time - INTERVAL '1800 seconds') + INTERVAL '1800 seconds'"
        );
    }

    #[test]
    fn steps_are_silent_when_they_passed_without_a_call() {
        // Noon on Wednesday of a week that began on the 16th: three days have begun, Tuesday has no call.
        let request = request("2026-W47", "UTC", "2026-11-18T12:00:00Z");
        let course = course(&request, &[("2026-11-16", 2, "1"), ("2026-11-17", 0, "0"), ("2026-11-18", 1, "0.5")]);
        assert_eq!(course.silent(), (vec!["Tue 17"], 3));
        // Of the three days before that they are compared with, none had a call; what follows is not compared with yet.
        assert_eq!(course.silent_before(), (3, 3));
        let Data::Columns(columns) = course.chart().data else { panic!("columns") };
        assert_eq!(columns.iter().filter(|column| column.value.is_some()).count(), 3);
        assert_eq!((columns.len(), columns[3].text.as_str()), (7, "not yet"));
    }

    #[test]
    fn a_week_without_one_before_is_compared_with_nothing() {
        let request = request("2026-W47", "UTC", "2026-11-24T00:00:00Z");
        let of = |steps: &[(&str, i64, &str)]| course(&request, steps).chart();
        let before = |chart: &Chart| match &chart.data {
            Data::Columns(columns) => columns.iter().filter(|column| column.before.is_some()).count(),
            _ => panic!("columns"),
        };
        let alone = of(&[("2026-11-16", 2, "1")]);
        assert_eq!((before(&alone), alone.description.contains("before")), (0, false));
        assert_eq!(of(&[]).description, "A column for each of 7 steps; none is known to have cost anything.");
        let both = of(&[("2026-11-10", 1, "1"), ("2026-11-16", 2, "1")]);
        assert_eq!((before(&both), both.description.contains("before")), (7, true));
    }

    #[test]
    fn a_day_whose_calls_have_no_price_is_not_shown_as_free() {
        // Of four days that are over one has no price: the others cost 2 on average, and three days are to come.
        let request = request("2026-W47", "UTC", "2026-11-20T00:00:00Z");
        let mut course = course(
            &request,
            &[("2026-11-16", 1, "1"), ("2026-11-17", 3, "0"), ("2026-11-18", 1, "2"), ("2026-11-19", 1, "3")],
        );
        course.steps.get_mut("2026-11-17").expect("the day").cost_usd = None;
        let Data::Columns(columns) = course.chart().data else { panic!("columns") };
        assert_eq!((columns[1].value, columns[1].text.as_str()), (None, "no price"));
        assert!(course.silent().0.is_empty());
        let spent = "6".parse().expect("an amount");
        let (told, _) = course.forecast(&request, spent).expect("there are past days");
        assert_eq!((told.expected.to_string().as_str(), told.days), ("12", 3));
    }

    #[test]
    fn a_forecast_adds_the_days_to_come_to_what_was_spent() {
        // A dollar on each of the seven days before noon of the 8th; 22.5 of the 30 days of November are to come.
        let request = request("2026-11", "UTC", "2026-11-08T12:00:00Z");
        let dates: Vec<String> = (1..=7).map(|day| format!("2026-11-{day:02}")).collect();
        let mut steps: Vec<(&str, i64, &str)> = dates.iter().map(|date| (date.as_str(), 1, "1")).collect();
        steps.push(("2026-11-08", 1, "0.5"));
        let spent = "7.5".parse().expect("an amount");
        let (told, query) = course(&request, &steps).forecast(&request, spent).expect("there are past days");
        assert_eq!((told.expected.to_string().as_str(), told.days, query), ("30", 7, 1));
        let over = self::request("2026-11", "UTC", "2026-12-01T00:00:00Z");
        assert!(course(&over, &steps).forecast(&over, spent).is_none(), "the month is over");
    }
}
