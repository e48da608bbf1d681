//! The cost report: what was spent, on what, and why that changed.

use serde::Deserialize;
use serde_json::Value;
use tracewell_pricing::Amount;

use crate::ask::{Answer, Questions, Row, RowSource};
use crate::budget::Budget;
use crate::change::{PROMPT_AND_MODEL, split_by_prompt_and_model, why};
use crate::course::Course;
use crate::error::ReportError;
use crate::figures::{Both, DIFFERS, MOST_REASONS, Totals, Unpriced, totals, trials, unpriced, which};
use crate::groups::groups;
use crate::money::{self, signed};
use crate::page::{Cell, Item, Page, Section, Table, Tone, head, number, tile};
use crate::request::Request;
use crate::spending::{Spending, notices};
use crate::sql::TRAFFIC;
use crate::uncounted::{fees_left_out, without_fees};
use crate::words::{count, counted, exact, money, more_money, part};

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
    WHERE {both} AND {TRAFFIC}
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
    calls_before: i64,
    #[serde(deserialize_with = "money::read")]
    cost_before_usd: Option<Amount>,
}

impl TableRow {
    /// The change against before; not known where all calls of either have no price.
    fn change(&self) -> Cell {
        let known = |cost: Option<Amount>, calls: i64| cost.or((calls == 0).then_some(Amount::ZERO));
        match (known(self.cost_usd, self.calls), known(self.cost_before_usd, self.calls_before)) {
            (now @ Some(_), before @ Some(_)) => more_money(now, before),
            _ => money(None),
        }
    }
}

pub(crate) async fn report<A: RowSource>(source: &A, request: &Request) -> Result<Page, ReportError> {
    let mut questions = Questions::new(source);
    let totals = totals(&mut questions, request).await?;
    let course = Course::ask(&mut questions, request).await?;
    let (groups_query, groups) = groups(&mut questions, request, &PROMPT_AND_MODEL).await?;
    let table = table(&mut questions, request, &totals).await?;
    let budgets = budgets(&mut questions, request).await?;
    let prices = prices(&mut questions, request).await?;
    let missing = unpriced(&mut questions, request).await?;
    let trials = trials(&mut questions, request).await?;

    let parts = split_by_prompt_and_model(&groups, &PROMPT_AND_MODEL);
    let spending = Spending::of(request, &totals, trials, &course);
    let mut page = request.page();
    (page.totals, page.notices) = notices(&mut questions, request, &totals, &course, None).await?;
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

async fn table<A: RowSource>(
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
                    figures.change(),
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

/// What is left of each budget. A budget is what may be paid, so it is used by trials, too.
pub(crate) async fn budgets<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
) -> Result<Option<Item>, ReportError> {
    let scoped: Vec<(&Budget, Amount)> =
        request.budgets.iter().filter_map(|budget| Some((budget, budget.for_period(&request.period)?))).collect();
    // A budget of all that is the only one is on a tile.
    match scoped.as_slice() {
        [] => return Ok(None),
        [(only, _)] if only.is_of_all() => return Ok(None),
        _ => {}
    }
    let sums = scoped.iter().zip(1..).map(|((budget, _), number)| {
        let charged = format!("FILTER (WHERE {}) AS", budget.condition());
        format!("    sum(cost_usd) {charged} budget_{number},\n    count(*) {charged} calls_{number}")
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
        // Without a call nothing was used; of calls without a price it is not known.
        let unused = spent.get(&format!("calls_{number}")).and_then(Value::as_i64) == Some(0);
        let used = used.or(unused.then_some(Amount::ZERO));
        let over = used.is_some_and(|used| used > *allowed);
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
async fn prices<A: RowSource>(questions: &mut Questions<'_, A>, request: &Request) -> Result<Vec<Item>, ReportError> {
    #[derive(Deserialize)]
    struct Priced {
        price_source: Option<String>,
        catalogue: Option<String>,
        catalogue_version: Option<String>,
        calls: i64,
        #[serde(default, deserialize_with = "money::read")]
        cost_usd: Option<Amount>,
        reported_calls: i64,
        differing_calls: i64,
        #[serde(default, deserialize_with = "money::read")]
        apart_usd: Option<Amount>,
        #[serde(default, deserialize_with = "money::read")]
        cost_difference_usd: Option<Amount>,
        calls_without_fees: i64,
    }
    let sql = format!(
        "SELECT
    price_source, catalogue, catalogue_version,
    count(*) AS calls,
    sum(cost_usd) AS cost_usd,
    count(cost_difference_usd) AS reported_calls,
    count(*) FILTER (WHERE {DIFFERS}) AS differing_calls,
    sum(abs(cost_difference_usd)) AS apart_usd,
    sum(cost_difference_usd) AS cost_difference_usd,
    count(*) FILTER (WHERE {without_fees}) AS calls_without_fees
FROM span_costs
WHERE {window}
    AND {TRAFFIC}
    AND cost_usd IS NOT NULL
GROUP BY price_source, catalogue, catalogue_version
ORDER BY cost_usd DESC, price_source, catalogue, catalogue_version",
        without_fees = without_fees(),
        window = request.window().condition("start_time"),
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
            Cell { tone: (row.differing_calls > 0).then_some(Tone::Bad), ..count(row.differing_calls) },
            money(row.apart_usd),
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
        number("differ by over 5 %"),
        number("apart in all"),
        number("above reported"),
    ];
    let table = Table { caption: "Prices in force".into(), heads, rows: rows.collect(), queries: vec![answer.number] };
    let of_all = |count: fn(&Priced) -> i64| answer.rows.iter().map(count).sum::<i64>();
    let (calls, without) = (of_all(|row| row.calls), of_all(|row| row.calls_without_fees));
    let told = fees_left_out(calls, without, answer.number);
    Ok([Item::Table(table)].into_iter().chain(told.map(Item::Note)).collect())
}

pub(crate) fn not_known(totals: &Both<Totals>, missing: Answer<Unpriced>) -> Vec<Item> {
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
            names.into_iter().chain([count(row.calls), count(row.failed), money(row.reported_cost_usd)]).collect()
        });
        let most = if missing.rows.len() == MOST_REASONS {
            format!(", the {MOST_REASONS} most frequent")
        } else {
            String::new()
        };
        items.push(Item::Table(Table {
            caption: format!("Calls without a price{most}; they are in no amount"),
            heads: ["reason", "provider", "model"]
                .map(head)
                .into_iter()
                .chain(["calls", "of which failed", "they report"].map(number))
                .collect(),
            rows: rows.collect(),
            queries: vec![missing.number],
        }));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_to_calls_without_a_price_is_not_known() {
        let dollar: Option<Amount> = "1".parse().ok();
        let change = |calls, cost_usd, calls_before, cost_before_usd| {
            TableRow { calls, cost_usd, calls_before, cost_before_usd, ..TableRow::default() }.change().text
        };
        assert_eq!([change(2, None, 2, dollar), change(2, dollar, 2, None)], ["—", "—"]);
        assert_eq!([change(0, None, 2, dollar), change(2, dollar, 0, None)], ["−$1.00", "+$1.00"]);
    }
}
