//! What was spent, in numbers and words; and what has to be known before they are read.

use tracewell_pricing::Amount;

use crate::ask::{Ask, Questions};
use crate::course::Course;
use crate::error::ReportError;
use crate::figures::{Both, Totals};
use crate::forecast::Forecast;
use crate::money::{self, dollars, minus, share, signed};
use crate::page::{Tile, Tone, tile};
use crate::published::Published;
use crate::request::Request;
use crate::words::{change, counted, money, part, percent, tone};

/// What was spent, against the period before, the budget and what is to come.
pub(crate) struct Spending {
    totals: usize,
    calls: i64,
    priced_calls: i64,
    pub(crate) now: Option<Amount>,
    pub(crate) before: Option<Amount>,
    saved: Option<Amount>,
    pub(crate) budget: Option<Amount>,
    budget_name: String,
    pub(crate) forecast: Option<(Forecast, usize)>,
}

impl Spending {
    pub(crate) fn of(request: &Request, totals: &Both<Totals>, course: &Course) -> Self {
        let budget = request.budgets.iter().find(|budget| budget.is_of_all());
        Self {
            totals: totals.query,
            calls: totals.now.calls,
            priced_calls: totals.now.priced_calls,
            now: totals.now.cost_usd,
            before: totals.before.cost_usd,
            saved: totals.now.saved_usd,
            budget: budget.and_then(|budget| budget.for_period(&request.period)),
            budget_name: budget.map_or_else(String::new, |budget| format!("${} {}", budget.usd, budget.per.words())),
            forecast: course.forecast(request, totals.now.cost_usd.unwrap_or_default()),
        }
    }

    fn difference(&self) -> Option<Amount> {
        Some(minus(self.now?, self.before?))
    }

    /// The change as a share, in words.
    fn against_before(&self, request: &Request) -> String {
        let so_far = if request.is_over() { "the" } else { "as much of the" };
        let noun = request.period.noun();
        match (self.difference(), self.before) {
            (Some(difference), Some(before)) => {
                let part = share(difference, before).map(|share| format!(" ({})", change(share))).unwrap_or_default();
                format!("{}{part} against {so_far} {noun} before", signed(difference))
            }
            _ => format!("nothing was priced in the {noun} before"),
        }
    }

    /// The report in a sentence.
    pub(crate) fn sentence(&self, request: &Request) -> String {
        let Some(now) = self.now else { return "Nothing with a price was spent.".into() };
        let mut text = format!(
            "{} on {}: {}.",
            dollars(now),
            counted(self.calls, "model call", "model calls"),
            self.against_before(request)
        );
        if let Some(used) = self.budget.and_then(|budget| share(now, budget)) {
            text += &format!(" That is {} of the budget.", percent(used));
        }
        if let Some((forecast, _)) = &self.forecast {
            text += &format!(" At the end it will be about {}.", dollars(forecast.expected));
        }
        text
    }

    pub(crate) fn tiles(&self, request: &Request) -> Vec<Tile> {
        let spent = Tile {
            tone: self.difference().and_then(tone),
            ..tile("Spent", money(self.now), self.against_before(request), self.totals)
        };
        let mut tiles = vec![spent];
        if let Some(budget) = self.budget {
            let used = part(self.now, budget);
            let over = self.now.is_some_and(|now| now > budget);
            let note = format!("of {} ({})", dollars(budget), self.budget_name);
            tiles.push(Tile { tone: over.then_some(Tone::Bad), ..tile("Budget used", used, note, self.totals) });
        }
        if let Some((forecast, query)) = &self.forecast {
            let rests = if forecast.by_weekday { "by weekday" } else { "on average" };
            let note = format!(
                "{} to {} with 80 %, from {} past days {rests}",
                dollars(forecast.low),
                dollars(forecast.high),
                forecast.days
            );
            let over = self.budget.is_some_and(|budget| forecast.expected > budget);
            let tile = tile("Forecast to the end", money(Some(forecast.expected)), note, self.totals);
            tiles.push(Tile { tone: over.then_some(Tone::Bad), queries: vec![self.totals, *query], ..tile });
        }
        let per_call = self.now.and_then(|now| money::times(now, 1, self.priced_calls));
        tiles.push(tile(
            "Per call",
            money(per_call),
            format!("of {}", counted(self.priced_calls, "priced call", "priced calls")),
            self.totals,
        ));
        let saved = self.saved.map(|saved| {
            let without = self.now.unwrap_or_default() + saved;
            share(saved, without).map(|share| format!("{} of what it would cost without a cache", percent(share)))
        });
        tiles.push(tile("Caching saved", money(self.saved), saved.flatten().unwrap_or_default(), self.totals));
        tiles
    }
}

/// What has to be known before a number is read.
pub(crate) async fn notices<A: Ask>(
    questions: &mut Questions<'_, A>,
    request: &Request,
    totals: &Both<Totals>,
    course: &Course,
) -> Result<(Published, Vec<String>), ReportError> {
    let (published, restated) = Published::ask(questions, request, totals).await?;
    Ok((published, gaps(request, totals, course).into_iter().chain(restated).collect()))
}

fn gaps(request: &Request, totals: &Both<Totals>, course: &Course) -> Vec<String> {
    let noun = request.period.noun();
    if request.now <= request.period.window().since {
        return vec![format!("This {noun} has not begun: there is nothing to report yet.")];
    }
    let mut notices = Vec::new();
    if totals.now.calls == 0 {
        notices.push(format!("There is not one model call in this {noun}: no figure below says anything."));
    } else {
        let (silent, passed) = course.silent();
        let step = if noun == "day" { "hours" } else { "days" };
        // Hours of a night without calls are nothing to warn of.
        if !silent.is_empty() && (noun != "day" || silent.len() * 2 > passed) {
            let named = if silent.len() > 7 { String::new() } else { format!(": {}", silent.join(", ")) };
            notices.push(format!("Data is missing or nothing ran on {} of {passed} {step}{named}.", silent.len()));
        }
        let share = totals.now.unpriced() as f64 / totals.now.calls as f64;
        if share > 0.05 {
            notices.push(format!("{} of the calls have no price, and are in no amount.", percent(share)));
        }
    }
    if !request.is_over() {
        let now = request.now.with_timezone(&request.period.zone());
        notices.push(format!("The {noun} is not over: figures are up to {}.", now.format("%a %-d %b %Y %H:%M")));
    }
    notices
}
