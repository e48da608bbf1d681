//! The quality report: scores by prompt version, errors, latency, what people and users say.

use serde::Deserialize;

use crate::ask::{Questions, RowSource};
use crate::course::Course;
use crate::error::ReportError;
use crate::figures::{Both, Trials, totals, trials};
use crate::interval::{FEW, of_share};
use crate::page::{Cell, Item, Page, Section, Table, head, number};
use crate::people::{Feedback, People, feedback, interventions};
use crate::request::Request;
use crate::runs::{Runs, reliability, share, worth_reading};
use crate::scores::Scores;
use crate::spending::notices;
use crate::sql::TRAFFIC;
use crate::words::{count, counted, milliseconds, percent, plain, ratio};

/// Prompt versions in the picture and in the tables.
const MOST: usize = 30;
/// Kinds of errors in the table.
const MOST_ERRORS: usize = 10;

/// The query of the report's table: what rows as CSV and Parquet are.
#[must_use]
pub fn table_sql(request: &Request) -> String {
    format!(
        "SELECT
    prompt_name AS prompt, prompt_version AS version,
    count(*) AS calls,
    count(*) FILTER (WHERE status = 'error') AS failed,
    count(*) FILTER (WHERE array_has(finish_reasons, 'length')) AS cut_off,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns / 1e6) AS p50_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns / 1e6) AS p95_ms,
    avg(output_tokens) AS output_tokens
FROM llm_calls
WHERE {window}
    AND {TRAFFIC}
GROUP BY prompt_name, prompt_version
ORDER BY calls DESC, prompt, version
LIMIT {MOST}",
        window = request.window().condition("start_time"),
    )
}

pub(crate) async fn report<A: RowSource>(source: &A, request: &Request) -> Result<Page, ReportError> {
    let mut questions = Questions::new(source);
    let totals = totals(&mut questions, request).await?;
    let course = Course::ask(&mut questions, request).await?;
    let runs = Runs::ask(&mut questions, request).await?;
    let people = People::ask(&mut questions, request).await?;
    let said = Feedback::ask(&mut questions, request).await?;
    let scores = Scores::ask(&mut questions, request).await?;
    let versions = versions(&mut questions, request).await?;
    let errors = errors(&mut questions, request).await?;
    let worth = worth_reading(&mut questions, request, 5).await?;
    let trials = trials(&mut questions, request).await?;

    let missing = left_out(&trials).into_iter().chain(not_known(request, &runs, &scores)).collect();
    let outcome = scores.outcome(&runs.now);
    let mut page = request.page();
    (page.totals, page.notices) = notices(&mut questions, request, &totals, &course, Some(outcome)).await?;
    page.summary = vec![sentence(&runs.now, &scores)];
    let mut tiles = reliability(&runs);
    tiles.extend([interventions(&people, &runs), feedback(request, &said)]);
    page.sections = vec![
        Section { title: "Reliability and speed".into(), items: vec![Item::Tiles(tiles), errors] },
        Section { title: "Scores by prompt version".into(), items: scores.items(MOST) },
        Section { title: "Prompt versions in traffic".into(), items: vec![versions] },
        Section { title: "Runs worth reading".into(), items: vec![worth] },
        Section { title: "What is not known".into(), items: told(missing) },
    ];
    page.queries = questions.into_queries();
    Ok(page)
}

pub(crate) fn sentence(runs: &Runs, scores: &Scores) -> String {
    let failed = share(runs.failed, runs.runs).map_or_else(|| "none".into(), percent);
    let scored = match scores.prompts() as i64 {
        0 => "no prompt version has scores".to_owned(),
        number => format!("{} with scores", counted(number, "prompt version", "prompt versions")),
    };
    format!("{}, of which {failed} failed; {scored}.", counted(runs.runs, "run", "runs"))
}

/// How many trials there were, which are in no figure.
fn left_out(trials: &Both<Trials>) -> Option<String> {
    let Trials { runs, calls, .. } = trials.now;
    let told = format!(
        "Trials of replays and test harnesses are no traffic and left out: {} with {}. [query {}]",
        counted(runs, "run", "runs"),
        counted(calls, "call", "calls"),
        trials.query
    );
    (calls > 0).then_some(told)
}

/// What limits the figures of runs and scores.
pub(crate) fn not_known(request: &Request, runs: &Both<Runs>, scores: &Scores) -> Vec<String> {
    let (query, runs) = (runs.query, &runs.now);
    let mut told = Vec::new();
    if runs.without_root > 0 {
        let part = share(runs.without_root, runs.runs).map_or_else(String::new, |part| format!(" ({})", percent(part)));
        told.push(format!(
            "{}{part} lack their first span: they are judged by the spans that came. [query {query}]",
            counted(runs.without_root, "run", "runs")
        ));
    }
    if runs.runs > runs.judged {
        let rest = runs.runs - runs.judged;
        told.push(format!(
            "{} of {} have no {}: whether they were good is known from errors alone. [query {query}]",
            tracewell_blocks::count(rest),
            counted(runs.runs, "run", "runs"),
            request.good.judge()
        ));
    }
    let few = scores.few();
    if few > 0 {
        told.push(format!(
            "{} on fewer than {FEW} scores: mind the intervals. [query {}]",
            counted(few as i64, "average rests", "averages rest"),
            scores.query
        ));
    }
    told
}

/// What is not known, as items.
pub(crate) fn told(missing: Vec<String>) -> Vec<Item> {
    if missing.is_empty() {
        return vec![Item::Note("Nothing is known to be missing.".into())];
    }
    missing.into_iter().map(Item::Note).collect()
}

async fn versions<A: RowSource>(questions: &mut Questions<'_, A>, request: &Request) -> Result<Item, ReportError> {
    #[derive(Deserialize)]
    struct Version {
        prompt: Option<String>,
        version: Option<String>,
        calls: i64,
        failed: i64,
        cut_off: i64,
        p50_ms: Option<f64>,
        p95_ms: Option<f64>,
        output_tokens: Option<f64>,
    }
    let answer = questions.ask::<Version>("Calls by prompt version", table_sql(request)).await?;
    let rows = answer.rows.iter().map(|row| {
        let sure = of_share(row.failed, row.calls)
            .map_or_else(|| "too few".into(), |sure| format!("{} to {}", percent(sure.low), percent(sure.high)));
        vec![
            Cell::name(row.prompt.as_deref()),
            Cell::name(row.version.as_deref()),
            count(row.calls),
            ratio(share(row.failed, row.calls)),
            Cell::text(sure),
            ratio(share(row.cut_off, row.calls)),
            milliseconds(row.p50_ms),
            milliseconds(row.p95_ms),
            plain(row.output_tokens),
        ]
    });
    Ok(Item::Table(Table {
        caption: format!("Calls by prompt version, the {MOST} most used"),
        heads: vec![
            head("prompt"),
            head("version"),
            number("calls"),
            number("failed"),
            number("95 % interval"),
            number("cut off"),
            number("median"),
            number("95 of 100"),
            number("output tokens"),
        ],
        rows: rows.collect(),
        queries: vec![answer.number],
    }))
}

async fn errors<A: RowSource>(questions: &mut Questions<'_, A>, request: &Request) -> Result<Item, ReportError> {
    #[derive(Deserialize)]
    struct Error {
        error_class: Option<String>,
        provider: Option<String>,
        model: Option<String>,
        calls: i64,
        example: Option<String>,
    }
    let sql = format!(
        "SELECT
    error_class, provider, coalesce(response_model, request_model) AS model,
    count(*) AS calls,
    min(trace_id) AS example
FROM llm_calls
WHERE {}
    AND {TRAFFIC}
    AND status = 'error'
GROUP BY 1, 2, 3
ORDER BY calls DESC, 1, 2, 3
LIMIT {MOST_ERRORS}",
        request.window().condition("start_time")
    );
    let answer = questions.ask::<Error>("Failed calls by the class of the error", sql).await?;
    if answer.rows.is_empty() {
        return Ok(Item::Note("No model call failed.".into()));
    }
    let rows = answer.rows.iter().map(|row| {
        let example = row.example.as_deref().unwrap_or_default();
        vec![
            Cell::name(row.error_class.as_deref()),
            Cell::name(row.provider.as_deref()),
            Cell::name(row.model.as_deref()),
            count(row.calls),
            request.run(example),
        ]
    });
    let most = match answer.rows.len() {
        MOST_ERRORS => format!(", the {MOST_ERRORS} most frequent kinds"),
        _ => String::new(),
    };
    Ok(Item::Table(Table {
        caption: format!("Failed calls{most}"),
        heads: vec![head("error"), head("provider"), head("model"), number("calls"), head("a run of them")],
        rows: rows.collect(),
        queries: vec![answer.number],
    }))
}
