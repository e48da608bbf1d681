//! The leadership report: one page that is read in two minutes.

use tracewell_pricing::Amount;

use crate::ask::{Questions, RowSource};
use crate::change::{PROMPT_AND_MODEL, driver, split_by_prompt_and_model, why};
use crate::cost::budgets;
use crate::course::Course;
use crate::dimension::Dimension;
use crate::error::ReportError;
use crate::figures::{Both, Totals, totals, trials};
use crate::groups::{Grouped, groups};
use crate::money::minus;
use crate::page::{Cell, Item, Page, Section, Table, head, number};
use crate::people::{Feedback, People, feedback, interventions};
use crate::quality::{not_known, sentence, told};
use crate::released::Releases;
use crate::request::Request;
use crate::runs::{Runs, reliability, worth_reading};
use crate::scores::Scores;
use crate::spending::{Spending, notices};
use crate::uncounted::uncounted;
use crate::units::units;
use crate::words::{counted, money, more_money, percent};

/// Rows of what moved most, prompt versions, and runs of each reason.
const MOVERS: usize = 6;
const VERSIONS: usize = 8;
const EACH: usize = 1;

pub(crate) async fn report<A: RowSource>(source: &A, request: &Request) -> Result<Page, ReportError> {
    let dimensions = dimensions(request);
    let mut questions = Questions::new(source);
    let totals = totals(&mut questions, request).await?;
    let course = Course::ask(&mut questions, request).await?;
    let (groups_query, groups) = groups(&mut questions, request, &dimensions).await?;
    let budgets = budgets(&mut questions, request).await?;
    let runs = Runs::ask(&mut questions, request).await?;
    let people = People::ask(&mut questions, request).await?;
    let said = Feedback::ask(&mut questions, request).await?;
    let scores = Scores::ask(&mut questions, request).await?;
    let worth = worth_reading(&mut questions, request, EACH).await?;
    let releases = Releases::ask(&mut questions, request).await?;
    let trials = trials(&mut questions, request).await?;
    let uncounted = uncounted(&mut questions, request).await?;

    let spending = Spending::of(request, &totals, trials, &course);
    let parts = split_by_prompt_and_model(&groups, &dimensions);
    let mut spent = vec![Item::Tiles(spending.tiles(request)), Item::Chart(course.chart())];
    spent.extend(budgets);
    let mut changed = why(&totals, parts, groups_query);
    // The picture says it on this page.
    changed.retain(|item| !matches!(item, Item::Table(_)));
    changed.push(movers(&groups, &dimensions, groups_query, &releases));
    let mut tiles = reliability(&runs);
    tiles.extend([interventions(&people, &runs), feedback(request, &said)]);
    let mut quality = vec![Item::Tiles(tiles)];
    // The table of scores is in the quality report; the picture has its numbers.
    quality.extend(scores.items(VERSIONS).into_iter().filter(|item| !matches!(item, Item::Table(_))));

    let outcome = scores.outcome(&runs.now);
    let mut page = request.page();
    (page.totals, page.notices) = notices(&mut questions, request, &totals, &course, Some(outcome)).await?;
    page.summary = vec![spending.sentence(request), sentence(&runs.now, &scores)];
    page.sections = vec![
        Section { title: "Spending".into(), items: spent },
        Section { title: "What it buys".into(), items: vec![Item::Tiles(units(request, &totals, &runs))] },
        Section { title: "Why it changed".into(), items: changed },
        Section { title: "Quality and reliability".into(), items: quality },
        Section { title: "Runs worth reading".into(), items: vec![worth] },
        Section { title: "What is not known".into(), items: unknown(request, &totals, uncounted, &runs, &scores) },
    ];
    page.queries = questions.into_queries();
    Ok(page)
}

/// What is asked for, and what a split needs.
fn dimensions(request: &Request) -> Vec<Dimension> {
    let mut dimensions = request.by.clone();
    dimensions.extend(PROMPT_AND_MODEL.into_iter().filter(|needed| !request.by.contains(needed)));
    dimensions
}

/// What moved most, and what is behind it.
fn movers(groups: &[Grouped], dimensions: &[Dimension], query: usize, releases: &Releases) -> Item {
    let difference = |group: &Grouped| {
        let sides = group.sides();
        minus(sides.now.cost, sides.before.cost)
    };
    let mut moved: Vec<&Grouped> = groups.iter().filter(|group| difference(group) != Amount::ZERO).collect();
    moved.sort_by_cached_key(|group| std::cmp::Reverse(difference(group).units().unsigned_abs()));
    if moved.is_empty() {
        return Item::Note("Nothing moved.".into());
    }
    let rows = moved.iter().take(MOVERS).map(|group| {
        let names = group.names.iter().map(|name| Cell::name(name.as_deref()));
        let [before, now] = group.costs();
        let change = if before.is_some() && now.is_some() { more_money(now, before) } else { money(None) };
        names.chain([money(now), change, Cell::text(behind(group, releases.of(dimensions, &group.names)))]).collect()
    });
    let names = dimensions.iter().map(|dimension| head(dimension.name));
    Item::Table(Table {
        caption: "What moved most".into(),
        heads: names.chain([number("now"), number("change"), head("behind it")]).collect(),
        rows: rows.collect(),
        queries: vec![query, releases.query],
    })
}

fn behind(group: &Grouped, released: Option<String>) -> String {
    let few = |what: &str, values: &[String]| match values {
        [] => None,
        [one] => Some(format!("{what} {one} is new")),
        many => Some(format!("{} new {what}s", many.len())),
    };
    let new = if group.sides().before.calls > 0 {
        [few("version", &group.new_versions), few("release", &group.new_releases)]
    } else {
        [None, None]
    };
    let said = [driver(group).map(str::to_owned)].into_iter().chain(new).chain([released]);
    said.flatten().collect::<Vec<_>>().join("; ")
}

fn unknown(
    request: &Request,
    totals: &Both<Totals>,
    uncounted: Vec<String>,
    runs: &Both<Runs>,
    scores: &Scores,
) -> Vec<Item> {
    let now = &totals.now;
    let mut missing = Vec::new();
    if now.unpriced() > 0 {
        let part = now.unpriced() as f64 / now.calls as f64;
        missing.push(format!(
            "{} of {} have no price ({}) and are in no amount; the cost report says why. [query {}]",
            tracewell_blocks::count(now.unpriced()),
            counted(now.calls, "call", "calls"),
            percent(part),
            totals.query
        ));
    }
    missing.extend(uncounted);
    missing.extend(not_known(request, runs, scores));
    told(missing)
}
