//! How cost went over the period, step by step of time, and how it will go on.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use tracewell_pricing::Amount;

use crate::ask::{Ask, Questions};
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
    query: usize,
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

/// Past days that a forecast rests on.
const PAST_DAYS: i64 = 28;

impl Course {
    pub(crate) async fn ask<A: Ask>(questions: &mut Questions<'_, A>, request: &Request) -> Result<Self, ReportError> {
        let (window, before) = (request.window(), request.period.previous().window());
        let since = match request.is_over() {
            true => before.since,
            false => before.since.min(window.since - TimeDelta::days(PAST_DAYS)),
        };
        let condition = Window { since, until: window.until }.condition("start_time");
        let answer = figures::steps(questions, request, &condition).await?;
        let hourly = request.period.noun() == "day";
        let period = if hourly { hours(request) } else { days(request) };
        let steps = answer.rows.into_iter();
        let key = |step: &Step| if hourly { step.step.chars().take(13).collect() } else { step.step.clone() };
        Ok(Self {
            query: answer.number,
            steps: steps.map(|step| (key(&step), step)).collect(),
            title: if hourly { "Cost by hour" } else { "Cost by day" },
            period,
        })
    }

    fn cost(&self, key: &str) -> Amount {
        self.steps.get(key).and_then(|step| step.cost_usd).unwrap_or_default()
    }

    /// Steps of the period that have passed without a single call, and how many have passed.
    pub(crate) fn silent(&self) -> (Vec<&str>, usize) {
        let passed: Vec<&Place> = self.period.iter().filter(|place| place.has_begun).collect();
        let silent = passed.iter().filter(|place| self.steps.get(&place.key).is_none_or(|step| step.calls == 0));
        (silent.map(|place| place.label.as_str()).collect(), passed.len())
    }

    /// The picture.
    pub(crate) fn chart(&self) -> Chart {
        let columns: Vec<Column> = self.period.iter().map(|place| self.column(place)).collect();
        let dearest = self.period.iter().filter(|place| place.has_begun).max_by_key(|place| self.cost(&place.key));
        let dearest =
            dearest.map(|place| format!("the dearest is {} with {}", place.label, dollars(self.cost(&place.key))));
        let description = format!(
            "A column for each of {}; {}. The line is the period before.",
            counted(columns.len() as i64, "step", "steps"),
            dearest.unwrap_or_else(|| "none has begun".into())
        );
        Chart { title: self.title.into(), description, data: Data::Columns(columns), queries: vec![self.query] }
    }

    fn column(&self, place: &Place) -> Column {
        Column {
            label: place.label.clone(),
            value: place.has_begun.then(|| self.cost(&place.key)),
            text: if place.has_begun { dollars(self.cost(&place.key)) } else { "not yet".into() },
            before: place.before.as_deref().map(|key| self.cost(key)),
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
            .map(|date| PastDay { weekday: weekday(date), cost: self.cost(&date.to_string()) })
            .collect();
        let left: Vec<DayLeft> =
            request.period.dates().filter(|date| *date >= today).map(|date| left(request, date)).collect();
        Some((forecast(spent, &past, &left)?, self.query))
    }
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
    let key = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H").to_string();
    let hours = std::iter::successors(Some(window.since), |time| Some(*time + TimeDelta::hours(1)));
    hours
        .take_while(|time| *time < window.until)
        .map(|time| {
            let like = before.since + (time - window.since);
            Place {
                key: key(time),
                label: time.with_timezone(&request.period.zone()).format("%H:%M").to_string(),
                has_begun: time < request.now,
                before: (like < before.until).then(|| key(like)),
            }
        })
        .collect()
}
