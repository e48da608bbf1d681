//! The cost report: what was spent, on what, and why that changed.

use serde::Deserialize;
use serde_json::Value;
use tracewell_pricing::Amount;

use crate::ask::{Ask, Questions, Row};
use crate::budget::Budget;
use crate::course::Course;
use crate::error::ReportError;
use crate::figures::{Both, Grouped, Totals, groups, totals, unpriced, which};
use crate::forecast::Forecast;
use crate::money::{self, dollars, minus, share, signed};
use crate::page::{Cell, Chart, Data, Head, Item, Page, Section, Step, Table, Tile, Tone};
use crate::published::Published;
use crate::request::Request;
use crate::split::{Group, Split, split};
use crate::sql::Dimension;
use crate::words::{change, count, counted, exact, money, more_money, part, percent, tone};

/// Rows of the table.
const MOST: usize = 50;

/// The query of the report's table: what rows as CSV and Parquet are.
#[must_use]
pub fn table_sql(request: &Request) -> String {
    let by = &request.by;
    let names = by.iter().map(|dimension| dimension.name).collect::<Vec<_>>();
    let columns = if by.is_empty() { String::new() } else { format!("{},\n    ", Request::columns(by)) };
    let group = if by.is_empty() {
        String::new()
    } else {
        let numbers = (1..=by.len()).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        format!("\nGROUP BY {numbers}")
    };
    format!(
        "SELECT
    {columns}count(*) FILTER (WHERE this) AS calls,
    count(*) FILTER (WHERE this AND cost_usd IS NULL) AS unpriced_calls,
    sum(cost_usd) FILTER (WHERE this) AS cost_usd,
    count(*) FILTER (WHERE NOT this) AS calls_before,
    count(*) FILTER (WHERE NOT this AND cost_usd IS NULL) AS unpriced_calls_before,
    sum(cost_usd) FILTER (WHERE NOT this) AS cost_before_usd
FROM (
    SELECT *, {which} = 'this' AS this
    FROM span_costs
    WHERE {both}
) AS calls{group}
ORDER BY cost_usd DESC NULLS LAST, calls DESC{rest}",
        which = which(request),
        both = request.both(),
        rest = names.iter().map(|name| format!(", {name}")).collect::<String>(),
    )
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TableRow {
    calls: i64,
    unpriced_calls: i64,
    #[serde(deserialize_with = "money::read")]
    cost_usd: Option<Amount>,
    #[serde(deserialize_with = "money::read")]
    cost_before_usd: Option<Amount>,
}

pub(crate) async fn report<A: Ask>(source: &A, request: &Request) -> Result<Page, ReportError> {
    let mut questions = Questions::new(source);
    let totals = totals(&mut questions, request).await?;
    let course = Course::ask(&mut questions, request).await?;
    let (groups_query, groups) = groups(&mut questions, request, &PROMPT_AND_MODEL).await?;
    let table = table(&mut questions, request, &totals).await?;
    let budgets = budgets(&mut questions, request).await?;
    let prices = prices(&mut questions, request).await?;
    let missing = unpriced(&mut questions, request).await?;

    let parts = split(&groups.iter().map(|group| group.sides).collect::<Vec<_>>());
    let spending = Spending::of(request, &totals, &course);
    let mut page = request.page();
    (page.totals, page.notices) = notices(&mut questions, request, &totals, &course).await?;
    page.summary = vec![spending.sentence(request)];
    let mut spent = vec![Item::Tiles(spending.tiles(request)), Item::Chart(course.chart())];
    spent.extend(budgets);
    page.sections = vec![
        Section { title: "Spending".into(), items: spent },
        Section { title: "Why it changed".into(), items: why(&totals, parts, groups_query) },
        Section { title: "Who spends on what".into(), items: vec![table] },
        Section { title: "By which prices".into(), items: prices },
        Section { title: "What is not known".into(), items: not_known(&totals, missing) },
    ];
    page.queries = questions.into_queries();
    Ok(page)
}

/// What the change is split by.
pub(crate) const PROMPT_AND_MODEL: [Dimension; 2] =
    [Dimension { name: "prompt", column: "prompt_name" }, Dimension { name: "model", column: "model" }];

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

pub(crate) fn tile(label: &str, cell: Cell, note: String, query: usize) -> Tile {
    Tile { label: label.into(), text: cell.text, value: cell.value, note, tone: cell.tone, queries: vec![query] }
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

pub(crate) fn why(totals: &Both<Totals>, parts: Option<Split>, query: usize) -> Vec<Item> {
    let (Some(parts), Some(before), Some(now)) = (parts, totals.before.cost_usd, totals.now.cost_usd) else {
        return vec![Item::Note("There is no priced call in the period before, so nothing to compare with.".into())];
    };
    let said = [
        ("volume", "Volume", "more or fewer calls"),
        ("mix", "Mix", "a shift between prompts and models"),
        ("length", "Token length", "longer or shorter input and output"),
        ("caching", "Caching", "more or less of the input from the cache"),
        ("price", "Price", "other rates for the same tokens"),
    ];
    let change = minus(now, before);
    let float = |amount: Amount| amount.units() as f64 / 1e24;
    let end = |label: &str, amount: Amount| Step {
        label: label.into(),
        value: float(amount),
        text: dollars(amount),
        whole: true,
    };
    let mut steps = vec![end("Before", before)];
    let mut rows = Vec::new();
    for ((_, part), (_, label, meaning)) in parts.parts().into_iter().zip(said) {
        steps.push(Step { label: label.into(), value: float(part), text: signed(part), whole: false });
        let cell = Cell { tone: tone(part), ..Cell::number(Some(exact(part)), |_| signed(part)) };
        rows.push(vec![Cell::text(label), Cell::text(meaning), cell]);
    }
    steps.push(end("Now", now));
    rows.push(vec![Cell::text("Change"), Cell::text("the sum of the above"), more_money(Some(now), Some(before))]);
    let largest = parts.parts().into_iter().max_by_key(|(_, part)| part.units().unsigned_abs());
    let largest = largest.and_then(|(name, part)| said.iter().find(|one| one.0 == name).map(|one| (one.1, part)));
    let description = format!(
        "From {} to {}, a change of {}; the largest part is {}.",
        dollars(before),
        dollars(now),
        signed(change),
        largest.map_or_else(|| "none".into(), |(label, part)| format!("{label} with {}", signed(part)))
    );
    let queries = vec![query];
    vec![
        Item::Chart(Chart { title: "From the period before to this one".into(), description, data: Data::Bridge(steps), queries: queries.clone() }),
        Item::Table(Table {
            caption: "The change, split".into(),
            heads: vec![head("part"), head("what it is"), number("change")],
            rows,
            queries,
        }),
        Item::Note(
            "Each part replaces one thing of before by that of now, in this order; they add up exactly. Groups are prompts on models.".into(),
        ),
    ]
}

pub(crate) fn head(text: &'static str) -> Head {
    Head { text: text.into(), number: false }
}

pub(crate) fn number(text: &'static str) -> Head {
    Head { text: text.into(), number: true }
}

async fn table<A: Ask>(
    questions: &mut Questions<'_, A>,
    request: &Request,
    totals: &Both<Totals>,
) -> Result<Item, ReportError> {
    let title = "Cost by what is asked for, beside the period before";
    let answer = questions.ask::<Row>(title, table_sql(request)).await?;
    let whole = totals.now.cost_usd.unwrap_or_default();
    let mut rows = Vec::new();
    for row in answer.rows.iter().take(MOST) {
        let names = request.by.iter().map(|dimension| Cell::name(row.get(dimension.name).and_then(Value::as_str)));
        let figures = TableRow::deserialize(row)
            .map_err(|error| ReportError::Answer { query: title.into(), reason: error.to_string() })?;
        let unpriced =
            Cell { tone: (figures.unpriced_calls > 0).then_some(Tone::Bad), ..count(figures.unpriced_calls) };
        rows.push(
            names
                .chain([
                    money(figures.cost_usd),
                    part(figures.cost_usd, whole),
                    more_money(figures.cost_usd, figures.cost_before_usd),
                    count(figures.calls),
                    unpriced,
                ])
                .collect(),
        );
    }
    let names = request.by.iter().map(|dimension| head(dimension.name));
    let numbers = ["cost", "share", "change", "calls", "unpriced"].map(number);
    let shown =
        if answer.rows.len() > MOST { format!(", the dearest {MOST} of {}", answer.rows.len()) } else { String::new() };
    Ok(Item::Table(Table {
        caption: format!("Cost by {}{shown}", request.by.iter().map(|one| one.name).collect::<Vec<_>>().join(", ")),
        heads: names.chain(numbers).collect(),
        rows,
        queries: vec![answer.number, totals.query],
    }))
}

/// What is left of each budget.
pub(crate) async fn budgets<A: Ask>(
    questions: &mut Questions<'_, A>,
    request: &Request,
) -> Result<Option<Item>, ReportError> {
    let scoped: Vec<(&Budget, Amount)> =
        request.budgets.iter().filter_map(|budget| Some((budget, budget.for_period(&request.period)?))).collect();
    if scoped.iter().all(|(budget, _)| budget.is_of_all()) {
        return Ok(None);
    }
    let sums = scoped.iter().zip(1..).map(|((budget, _), number)| {
        format!("    sum(cost_usd) FILTER (WHERE {}) AS budget_{number}", budget.condition())
    });
    let sql = format!(
        "SELECT\n{}\nFROM span_costs\nWHERE {}",
        sums.collect::<Vec<_>>().join(",\n"),
        request.window().condition("start_time")
    );
    let title = "What each budget was used for";
    let answer = questions.ask::<Row>(title, sql).await?;
    let number_of_query = answer.number;
    let spent = answer.one(title)?;
    let rows = scoped.iter().zip(1..).map(|((budget, allowed), number)| {
        let used = spent.get(&format!("budget_{number}")).and_then(Value::as_str).and_then(|text| text.parse().ok());
        let over = used.is_some_and(|used: Amount| used > *allowed);
        let share = Cell { tone: over.then_some(Tone::Bad), ..part(used, *allowed) };
        vec![Cell::text(&budget.name), money(used), money(Some(*allowed)), share]
    });
    Ok(Some(Item::Table(Table {
        caption: "Budgets".into(),
        heads: vec![head("budget"), number("spent"), number("for the period"), number("used")],
        rows: rows.collect(),
        queries: vec![number_of_query],
    })))
}

/// By which catalogues the calls were priced, and how far that is from what applications report.
async fn prices<A: Ask>(questions: &mut Questions<'_, A>, request: &Request) -> Result<Vec<Item>, ReportError> {
    #[derive(Deserialize)]
    struct Priced {
        price_source: Option<String>,
        catalogue: Option<String>,
        catalogue_version: Option<String>,
        calls: i64,
        #[serde(default, deserialize_with = "money::read")]
        cost_usd: Option<Amount>,
        reported_calls: i64,
        #[serde(default, deserialize_with = "money::read")]
        cost_difference_usd: Option<Amount>,
    }
    let sql = format!(
        "SELECT
    price_source, catalogue, catalogue_version,
    count(*) AS calls,
    sum(cost_usd) AS cost_usd,
    count(cost_difference_usd) AS reported_calls,
    sum(cost_difference_usd) AS cost_difference_usd
FROM span_costs
WHERE {}
    AND cost_usd IS NOT NULL
GROUP BY price_source, catalogue, catalogue_version
ORDER BY cost_usd DESC, price_source, catalogue, catalogue_version",
        request.window().condition("start_time")
    );
    let answer =
        questions.ask::<Priced>("Which prices were used, and how costs differ from those reported", sql).await?;
    let rows = answer.rows.iter().map(|row| {
        let difference = Cell::number(row.cost_difference_usd.map(exact), |_| {
            row.cost_difference_usd.map(signed).unwrap_or_default()
        });
        vec![
            Cell::name(row.price_source.as_deref()),
            Cell::name(row.catalogue.as_deref()),
            Cell::name(row.catalogue_version.as_deref()),
            count(row.calls),
            money(row.cost_usd),
            count(row.reported_calls),
            difference,
        ]
    });
    let heads = vec![
        head("source"),
        head("catalogue"),
        head("version"),
        number("calls"),
        number("cost"),
        number("report a cost"),
        number("above reported"),
    ];
    let table = Table { caption: "Prices in force".into(), heads, rows: rows.collect(), queries: vec![answer.number] };
    Ok(vec![Item::Table(table)])
}

pub(crate) fn not_known(totals: &Both<Totals>, missing: crate::ask::Answer<crate::figures::Unpriced>) -> Vec<Item> {
    let unpriced = totals.now.unpriced();
    let share = (totals.now.calls > 0).then(|| unpriced as f64 / totals.now.calls as f64);
    let cell = Cell { tone: (unpriced > 0).then_some(Tone::Bad), ..crate::words::ratio(share) };
    let tile = tile(
        "Unpriced calls",
        cell,
        format!("{} of {}", tracewell_blocks::count(unpriced), counted(totals.now.calls, "call", "calls")),
        totals.query,
    );
    let mut items = vec![Item::Tiles(vec![tile])];
    if !missing.rows.is_empty() {
        let rows = missing.rows.iter().map(|row| {
            let names = [&row.unpriced_reason, &row.provider, &row.model].map(|name| Cell::name(name.as_deref()));
            names.into_iter().chain([count(row.calls), count(row.failed)]).collect()
        });
        items.push(Item::Table(Table {
            caption: "Calls without a price; they are in no amount".into(),
            heads: vec![head("reason"), head("provider"), head("model"), number("calls"), number("of which failed")],
            rows: rows.collect(),
            queries: vec![missing.number],
        }));
    }
    items
}

/// What a group's change is mostly due to, in a word.
pub(crate) fn driver(group: &Grouped) -> Option<&'static str> {
    let Group { before, now } = group.sides;
    if before.calls == 0 {
        return Some("new");
    }
    if now.calls == 0 {
        return Some("gone");
    }
    let parts = split(&[group.sides])?;
    let (name, part) = parts.parts().into_iter().max_by_key(|(_, part)| part.units().unsigned_abs())?;
    (part != Amount::ZERO).then_some(name)
}
