//! What was spent, in numbers and words; and what has to be known before they are read.

use tracewell_pricing::Amount;

use crate::ask::{Questions, RowSource};
use crate::budget::of_all;
use crate::course::Course;
use crate::error::ReportError;
use crate::figures::{APART, Both, Totals, Trials};
use crate::forecast::Forecast;
use crate::money::{self, dollars, minus, share, signed};
use crate::page::{Outcome, Published, Tile, Tone, tile};
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
    trials: Both<Trials>,
    pub(crate) budget: Option<Amount>,
    budget_name: String,
    pub(crate) forecast: Option<(Forecast, usize)>,
}

impl Spending {
    pub(crate) fn of(request: &Request, totals: &Both<Totals>, trials: Both<Trials>, course: &Course) -> Self {
        let budget = of_all(&request.budgets, &request.period);
        Self {
            totals: totals.query,
            calls: totals.now.calls,
            priced_calls: totals.now.priced_calls,
            now: totals.now.cost_usd,
            before: totals.before.cost_usd,
            saved: totals.now.saved_usd,
            trials,
            budget: budget.and_then(|budget| budget.for_period(&request.period)),
            budget_name: budget.map_or_else(String::new, |budget| format!("${} {}", budget.usd, budget.per.words())),
            forecast: course.forecast(request, totals.now.cost_usd.unwrap_or_default()),
        }
    }

    /// All that was paid: of traffic and of trials.
    fn paid(&self) -> Option<Amount> {
        let paid = [self.now, self.trials.now.cost_usd].into_iter().flatten().reduce(|sum, amount| sum + amount);
        // Without a call nothing was paid; of calls without a price it is not known.
        paid.or((self.calls == 0 && self.trials.now.calls == 0).then_some(Amount::ZERO))
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
            (None, Some(before)) => format!("{} in {so_far} {noun} before", dollars(before)),
            _ => format!("nothing was priced in the {noun} before"),
        }
    }

    /// The report in a sentence.
    pub(crate) fn sentence(&self, request: &Request) -> String {
        let Some(now) = self.now else { return "Nothing with a price was spent on traffic.".into() };
        let mut text = format!(
            "{} on {}: {}.",
            dollars(now),
            counted(self.calls, "model call", "model calls"),
            self.against_before(request)
        );
        if let Some(used) = self.budget.zip(self.paid()).and_then(|(budget, paid)| share(paid, budget)) {
            let what = if self.trials.now.cost_usd.is_some() { "With the trials that" } else { "That" };
            text += &format!(" {what} is {} of the budget.", percent(used));
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
            let paid = self.paid();
            let over = paid.is_some_and(|paid| paid > budget);
            let with = if self.trials.now.cost_usd.is_some() { ", trials included" } else { "" };
            let note = format!("of {} ({}){with}", dollars(budget), self.budget_name);
            let tile = tile("Budget used", part(paid, budget), note, self.totals);
            let queries = vec![self.totals, self.trials.query];
            tiles.push(Tile { tone: over.then_some(Tone::Bad), queries, ..tile });
        }
        if let Some((forecast, query)) = &self.forecast {
            let rests = if forecast.by_weekday { "by weekday" } else { "on average" };
            let note = format!(
                "{} to {} with 80 %, from {} past days {rests}",
                dollars(forecast.low),
                dollars(forecast.high),
                forecast.days
            );
            let trials = self.trials.now.cost_usd.unwrap_or_default();
            let over = self.budget.is_some_and(|budget| forecast.expected + trials > budget);
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
        tiles.extend(self.trials());
        tiles
    }

    /// What trials cost, where there were any: the line between these figures and the invoice.
    fn trials(&self) -> Option<Tile> {
        let Trials { runs, calls, unpriced_calls, cost_usd, .. } = self.trials.now;
        let unpriced = match unpriced_calls {
            0 => String::new(),
            number => format!(", {} of them without a price", tracewell_blocks::count(number)),
        };
        let note = format!(
            "{} in {} of replays and test harnesses{unpriced}, in no other figure; with them {}",
            counted(calls, "call", "calls"),
            counted(runs, "run", "runs"),
            self.paid().map_or_else(|| "no amount".to_owned(), dollars)
        );
        let queries = vec![self.trials.query, self.totals];
        (calls > 0).then(|| Tile { queries, ..tile("Trials, besides", money(cost_usd), note, self.trials.query) })
    }
}

/// What has to be known before a number is read.
pub(crate) async fn notices<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
    totals: &Both<Totals>,
    course: &Course,
    outcome: Option<Outcome>,
) -> Result<(Published, Vec<String>), ReportError> {
    let (published, restated) = Published::ask(questions, request, totals, outcome).await?;
    Ok((published, gaps(request, totals, course).into_iter().chain(restated).collect()))
}

/// That applications report other costs than the prices give, where it is much.
fn differing(totals: &Both<Totals>) -> Option<String> {
    let Totals { reported_calls, differing_calls, reported_usd, apart_usd, .. } = totals.now;
    let (reported, apart) = (reported_usd?, apart_usd?);
    let is_much = share(apart, reported).is_none_or(|share| share > APART);
    (differing_calls > 0 && is_much).then(|| {
        format!(
            "Of {} that report what they cost, {} differ by over {:.0}\u{a0}% from what they cost by the prices in force, by {} in all where {} is reported; `tracewell query reported_costs` shows which. [query {}]",
            counted(reported_calls, "call", "calls"),
            tracewell_blocks::count(differing_calls),
            APART * 100.0,
            dollars(apart),
            dollars(reported),
            totals.query
        )
    })
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
            notices.push(format!(
                "Data is missing or nothing ran on {} of {passed} {step}{named}. [query {}]",
                silent.len(),
                course.query
            ));
        }
        let (before, compared) = course.silent_before();
        // Days off are in both, and hours of a night are too.
        if totals.before.calls > 0 && before > silent.len() && (noun != "day" || before * 2 > compared) {
            notices.push(format!(
                "Data is missing or nothing ran on {before} of {compared} {step} of the {noun} before, which this is compared with. [query {}]",
                course.query
            ));
        }
        let share = totals.now.unpriced() as f64 / totals.now.calls as f64;
        if share > 0.05 {
            let (share, query) = (percent(share), totals.query);
            notices.push(format!("{share} of the calls have no price, and are in no amount. [query {query}]"));
        }
    }
    notices.extend(differing(totals));
    if !request.is_over() {
        let now = request.now.with_timezone(&request.period.zone());
        notices.push(format!("The {noun} is not over: figures are up to {}.", now.format("%a %-d %b %Y %H:%M")));
    }
    notices
}
