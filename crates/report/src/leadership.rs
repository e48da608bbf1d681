//! The leadership report: one page that is read in two minutes.

use tracewell_pricing::Amount;

use crate::ask::{Ask, Questions};
use crate::change::{PROMPT_AND_MODEL, driver, split_by_prompt_and_model, why};
use crate::cost::budgets;
use crate::course::Course;
use crate::error::ReportError;
use crate::figures::{Both, Grouped, Totals, groups, totals, trials};
use crate::money::{dollars, minus, share, signed, times};
use crate::page::{Cell, Item, Page, Section, Table, Tile, head, number, tile};
use crate::people::{Feedback, People, feedback, interventions};
use crate::quality::{not_known, sentence};
use crate::released::Releases;
use crate::request::Request;
use crate::runs::{Runs, reliability, worth_reading};
use crate::scores::Scores;
use crate::spending::{Spending, notices};
use crate::sql::Dimension;
use crate::words::{change, counted, exact, money, percent, tone};

/// Rows of what moved most, prompt versions, and runs of each reason.
const MOVERS: usize = 6;
const VERSIONS: usize = 8;
const EACH: usize = 1;

pub(crate) async fn report<A: Ask>(source: &A, request: &Request) -> Result<Page, ReportError> {
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
        Section { title: "What is not known".into(), items: unknown(request, &totals, &runs.now, &scores) },
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

/// Cost by what it was spent for.
fn units(request: &Request, totals: &Both<Totals>, runs: &Both<Runs>) -> Vec<Tile> {
    let of_runs = |totals: &Totals| totals.run_cost_usd;
    let unit = |label: &str, cost: fn(&Totals) -> Option<Amount>, of: (i64, i64), one: &str, many: &str| {
        let each = |totals: &Totals, of: i64| cost(totals).and_then(|cost| times(cost, 1, of));
        let (now, before) = (each(&totals.now, of.0), each(&totals.before, of.1));
        let moved =
            now.zip(before).and_then(|(now, before)| Some((minus(now, before), share(minus(now, before), before)?)));
        let note = moved
            .map_or_else(|| "nothing to compare with".into(), |(_, moved)| format!("{} against before", change(moved)));
        let note = format!("{}; {note}", counted(of.0, one, many));
        Tile { tone: moved.and_then(|(difference, _)| tone(difference)), ..tile(label, money(now), note, totals.query) }
    };
    let (now, before) = (&totals.now, &totals.before);
    let with_runs = |tile: Tile| Tile { queries: vec![totals.query, runs.query], ..tile };
    let good = unit("Per good outcome", of_runs, (runs.now.good, runs.before.good), "run", "runs");
    let good = Tile { note: format!("{}; a good outcome: runs that {}", good.note, request.good.words()), ..good };
    let run = unit("Per run", of_runs, (runs.now.runs, runs.before.runs), "run", "runs");
    let apart = minus(now.cost_usd.unwrap_or_default(), now.run_cost_usd.unwrap_or_default());
    let run = match apart {
        Amount::ZERO => run,
        apart => Tile { note: format!("{}; without {} of calls in no run", run.note, dollars(apart)), ..run },
    };
    vec![
        with_runs(run),
        unit("Per session", |totals| totals.session_cost_usd, (now.sessions, before.sessions), "session", "sessions"),
        unit("Per user", |totals| totals.user_cost_usd, (now.users, before.users), "user", "users"),
        with_runs(good),
    ]
}

/// What moved most, and what is behind it.
fn movers(groups: &[Grouped], dimensions: &[Dimension], query: usize, releases: &Releases) -> Item {
    let difference = |group: &Grouped| minus(group.sides.now.cost, group.sides.before.cost);
    let mut moved: Vec<&Grouped> = groups.iter().filter(|group| difference(group) != Amount::ZERO).collect();
    moved.sort_by_key(|group| std::cmp::Reverse(difference(group).units().unsigned_abs()));
    if moved.is_empty() {
        return Item::Note("Nothing moved.".into());
    }
    let rows = moved.iter().take(MOVERS).map(|group| {
        let names = group.names.iter().map(|name| Cell::name(name.as_deref()));
        let difference = difference(group);
        let cell = Cell { tone: tone(difference), ..Cell::number(Some(exact(difference)), |_| signed(difference)) };
        names
            .chain([
                money(Some(group.sides.now.cost)),
                cell,
                Cell::text(behind(group, releases.of(dimensions, &group.names))),
            ])
            .collect()
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
    let new = if group.sides.before.calls > 0 {
        [few("version", &group.new_versions), few("release", &group.new_releases)]
    } else {
        [None, None]
    };
    let said = [driver(group).map(str::to_owned)].into_iter().chain(new).chain([released]);
    said.flatten().collect::<Vec<_>>().join("; ")
}

fn unknown(request: &Request, totals: &Both<Totals>, runs: &Runs, scores: &Scores) -> Vec<Item> {
    let now = &totals.now;
    let mut told = Vec::new();
    if now.unpriced() > 0 {
        let part = now.unpriced() as f64 / now.calls as f64;
        told.push(format!(
            "{} of {} have no price ({}) and are in no amount; the cost report says why.",
            tracewell_blocks::count(now.unpriced()),
            counted(now.calls, "call", "calls"),
            percent(part)
        ));
    }
    told.extend(not_known(request, runs, scores));
    told.into_iter().map(Item::Note).collect()
}
