//! Figures of runs: how they ended, how long they took, in which people stepped in, which are worth reading.

use serde::Deserialize;
use tracewell_pricing::Amount;

use crate::ask::{Answer, Questions, RowSource};
use crate::error::ReportError;
use crate::figures::{Both, OfPeriod, which};
use crate::money;
use crate::page::{Cell, Item, Table, Tile, Tone, head};
use crate::request::Request;
use crate::sql::{OF_RUNS, TRAFFIC};
use crate::words::{against, change, counted, milliseconds, percent, ratio};

/// How runs ended, how long they took, and what they cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Runs {
    pub(crate) runs: i64,
    pub(crate) failed: i64,
    pub(crate) met_an_error: i64,
    pub(crate) good: i64,
    pub(crate) judged: i64,
    pub(crate) stepped_in: i64,
    pub(crate) without_root: i64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Those of which is known what they cost, and the good ones of them.
    pub(crate) known: i64,
    pub(crate) known_good: i64,
    #[serde(deserialize_with = "money::read")]
    pub(crate) cost_usd: Option<Amount>,
    /// What traces cost that only log records tell of: they are no runs.
    #[serde(skip)]
    pub(crate) records_cost_usd: Option<Amount>,
}

/// A row of the answer.
#[derive(Deserialize)]
struct OfRuns {
    is_run: bool,
    #[serde(flatten)]
    of: OfPeriod<Runs>,
}

/// The condition that a decision is against what was proposed.
pub(crate) const AGAINST: &str = "decision ~* '^(modif|edit|change|reject|den|declin|cancel|abort|take|handoff)'";

/// The condition that a decision in `logs` is a person's.
pub(crate) const DECIDED: &str =
    "kind = 'human' AND decision IS NOT NULL AND coalesce(decision_source, '') NOT IN ('config', 'hook')";

/// The condition that a trace is a run of traffic: spans tell of it, and not only of calls in other traces.
const IS_RUN: &str = "span_count > 0 AND NOT only_duplicates AND is_trial IS NOT TRUE";

/// The condition that a run that was [`judged`] ended well.
const IS_GOOD: &str = "coalesce(status, '') <> 'error' AND coalesce(lowest, '') <> 'low'";

/// The last words with a value on runs and what is in them, since the beginning of what is compared with. A score that
/// names a response alone is of the call that got it; nothing is looked for where there is no such score.
pub(crate) fn judgements(request: &Request) -> String {
    let said = format!(
        "superseded_at IS NULL AND value IS NOT NULL AND date >= DATE '{}' AND {OF_RUNS}",
        request.before().since.date_naive()
    );
    format!(
        "(
    SELECT tenant, target, trace_id, span_id, name, source, value
    FROM evaluations
    WHERE {said} AND trace_id IS NOT NULL
    UNION ALL
    SELECT e.tenant, e.target, c.trace_id, c.span_id, e.name, e.source, e.value
    FROM (
        SELECT tenant, target, response_id, name, source, value
        FROM evaluations
        WHERE {said} AND trace_id IS NULL AND response_id IS NOT NULL
    ) AS e
    JOIN (
        SELECT tenant, response_id, trace_id, span_id FROM llm_calls WHERE {both}
    ) AS c ON c.tenant = e.tenant AND c.response_id = e.response_id
)",
        both = request.both(),
    )
}

/// The runs that were judged, and whether the lowest word was too low.
fn judged(request: &Request) -> String {
    format!(
        "(
        SELECT tenant, trace_id, CASE WHEN {is_low} THEN 'low' ELSE 'fine' END AS lowest
        FROM {judgements} AS judgements
        WHERE {judges}
        GROUP BY tenant, trace_id
    )",
        is_low = request.good.is_low("min(value)"),
        judges = request.good.judges(),
        judgements = judgements(request),
    )
}

impl Runs {
    pub(crate) async fn ask<A: RowSource>(
        questions: &mut Questions<'_, A>,
        request: &Request,
    ) -> Result<Both<Self>, ReportError> {
        let sql = format!(
            "SELECT
    {which} AS period, is_run,
    count(*) AS runs,
    count(*) FILTER (WHERE status = 'error') AS failed,
    count(*) FILTER (WHERE error_count > 0) AS met_an_error,
    count(*) FILTER (WHERE {IS_GOOD}) AS good,
    count(lowest) AS judged,
    count(stepped_in) AS stepped_in,
    count(*) FILTER (WHERE missing_root) AS without_root,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns / 1e6) AS p50_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns / 1e6) AS p95_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns / 1e6) AS p99_ms,
    count(*) FILTER (WHERE is_known) AS known,
    count(*) FILTER (WHERE is_known AND {IS_GOOD}) AS known_good,
    sum(cost_usd) AS cost_usd
FROM (
    -- Runs that began in the period, with all their calls; what only log records tell of is no run. What a run cost is not
    -- known where it has calls and none of them a price.
    SELECT
        t.date, t.start_time, t.status, t.error_count, t.missing_root, t.duration_ns, s.lowest, p.stepped_in, t.cost_usd,
        t.span_count > 0 AS is_run,
        t.cost_usd IS NOT NULL OR t.unpriced_calls = 0 AS is_known
    FROM traces AS t
    LEFT JOIN {judged} AS s ON s.tenant = t.tenant AND s.trace_id = t.trace_id
    LEFT JOIN (
        SELECT tenant, trace_id, true AS stepped_in
        FROM (
            -- Claude Code waits for a decision in a span; what was decided is in a record.
            SELECT tenant, trace_id
            FROM spans
            WHERE kind = 'human' AND (dialect IS DISTINCT FROM 'claude-code') AND {within_a_week}
            UNION ALL
            SELECT tenant, trace_id
            FROM logs
            WHERE {DECIDED} AND {AGAINST} AND trace_id IS NOT NULL AND {within_a_week}
        ) AS people
        GROUP BY tenant, trace_id
    ) AS p ON p.tenant = t.tenant AND p.trace_id = t.trace_id
    WHERE NOT t.only_duplicates AND t.{TRAFFIC}
) AS runs
WHERE {both}
GROUP BY 1, 2",
            which = which(request),
            judged = judged(request),
            within_a_week = request.with_before().dates_and_a_week(),
            both = request.both(),
        );
        let title = "Runs: how they ended, how long they took and what they cost";
        let answer = questions.ask::<OfRuns>(title, sql).await?;
        let mut both = Both { query: answer.number, ..Both::default() };
        for OfRuns { is_run, of } in answer.rows {
            let side: &mut Self = both.of(&of.period);
            if is_run {
                *side = Self { records_cost_usd: side.records_cost_usd, ..of.figures };
            } else {
                side.records_cost_usd = of.figures.cost_usd;
            }
        }
        Ok(both)
    }

    fn failed_share(&self) -> Option<f64> {
        share(self.failed, self.runs)
    }
}

pub(crate) fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// `now` against `before` in words: with a tone, where more is unwelcome.
pub(crate) fn compared(now: Option<f64>, before: Option<f64>, words: impl Fn(f64) -> String) -> (String, Option<Tone>) {
    match (now, before) {
        (Some(now), Some(before)) => {
            let tone = match now.total_cmp(&before) {
                std::cmp::Ordering::Less => Some(Tone::Good),
                std::cmp::Ordering::Equal => None,
                std::cmp::Ordering::Greater => Some(Tone::Bad),
            };
            (format!("before: {}", words(before)), tone)
        }
        _ => ("nothing to compare with".to_owned(), None),
    }
}

/// How reliable and how fast runs are.
pub(crate) fn reliability(runs: &Both<Runs>) -> Vec<Tile> {
    let (now, before) = (&runs.now, &runs.before);
    let (note, tone) = compared(now.failed_share(), before.failed_share(), percent);
    let failed = Tile {
        label: "Runs that failed".into(),
        tone,
        note: format!("{} of {}; {note}", tracewell_blocks::count(now.failed), counted(now.runs, "run", "runs")),
        ..tile(ratio(now.failed_share()), runs.query)
    };
    let time = |label: &str, now: Option<f64>, before: Option<f64>| {
        let (_, tone) = compared(now, before, |_| String::new());
        let moved = now.zip(before).and_then(|(now, before)| against(now, before));
        let note =
            moved.map_or_else(|| "nothing to compare with".into(), |moved| format!("{} against before", change(moved)));
        // A tenth is within what the approximation and chance do.
        let tone = tone.filter(|_| moved.is_some_and(|moved| moved.abs() > 0.1));
        Tile { label: label.into(), note, tone, ..tile(milliseconds(now), runs.query) }
    };
    vec![
        failed,
        time("Half of the runs take up to", now.p50_ms, before.p50_ms),
        time("95 of 100 take up to", now.p95_ms, before.p95_ms),
        time("99 of 100 take up to", now.p99_ms, before.p99_ms),
    ]
}

pub(crate) fn tile(cell: Cell, query: usize) -> Tile {
    Tile {
        label: String::new(),
        text: cell.text,
        value: cell.value,
        note: String::new(),
        tone: cell.tone,
        queries: vec![query],
    }
}

#[derive(Deserialize)]
struct Worth {
    trace_id: String,
    service: Option<String>,
    #[serde(default, deserialize_with = "money::read")]
    cost_usd: Option<Amount>,
    duration_ms: Option<f64>,
    score: Option<f64>,
    score_name: Option<String>,
    calls: Option<i64>,
}

/// The few runs that tell most, found one after the other: each is picked from all runs of the period, which take room.
pub(crate) async fn worth_reading<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
    each: usize,
) -> Result<Item, ReportError> {
    let window = request.window().condition("start_time");
    let failed = format!(
        "SELECT trace_id, service, duration_ns / 1e6 AS duration_ms, call_count AS calls
FROM traces
WHERE {window} AND {IS_RUN} AND status = 'error'
ORDER BY calls DESC, trace_id
LIMIT {each}"
    );
    // What is said of a run is told with the run, whenever it was said.
    let scored = format!(
        "SELECT
    judged.trace_id, max(run.service) AS service,
    min(value) AS score, first_value(name ORDER BY value, name) AS score_name
FROM {judgements} AS judged
JOIN (
    SELECT tenant, trace_id, service
    FROM traces
    WHERE {window} AND {IS_RUN}
) AS run ON run.tenant = judged.tenant AND run.trace_id = judged.trace_id
WHERE {is_low} AND {judges}
GROUP BY judged.tenant, judged.trace_id
ORDER BY score, trace_id
LIMIT {each}",
        judgements = judgements(request),
        is_low = request.good.is_low("value"),
        judges = request.good.judges(),
    );
    let dearest = format!(
        "SELECT trace_id, max(service) AS service, sum(cost_usd) AS cost_usd, count(*) AS calls
-- The calls of the period: a run that goes on behind it may cost more in all.
FROM span_costs
WHERE {window} AND {TRAFFIC} AND trace_id IS NOT NULL
GROUP BY tenant, trace_id
HAVING sum(cost_usd) IS NOT NULL
ORDER BY cost_usd DESC, trace_id
LIMIT {each}"
    );
    let slowest = format!(
        "SELECT trace_id, service, duration_ns / 1e6 AS duration_ms, call_count AS calls
FROM traces
WHERE {window} AND {IS_RUN}
ORDER BY duration_ms DESC, trace_id
LIMIT {each}"
    );
    let wanted = [("failed, most calls", failed), ("lowest score", scored), ("dearest", dearest), ("slowest", slowest)];
    let (mut rows, mut queries) = (Vec::new(), Vec::new());
    for (why, sql) in wanted {
        let Answer { number, rows: runs } = questions.ask::<Worth>(&format!("Runs worth reading: {why}"), sql).await?;
        queries.push(number);
        rows.extend(runs.iter().map(|run| run.row(why, request)));
    }
    if rows.is_empty() {
        return Ok(Item::Note("There is no run.".into()));
    }
    Ok(Item::Table(Table {
        caption: "Each in full: tracewell runs show RUN".into(),
        heads: vec![head("why"), head("run"), head("service"), head("what")],
        rows,
        queries,
    }))
}

impl Worth {
    fn row(&self, why: &str, request: &Request) -> Vec<Cell> {
        let told = [
            self.cost_usd.map(money::dollars),
            self.duration_ms.map(|time| tracewell_blocks::duration((time * 1e6) as i64)),
            self.score.map(|score| {
                format!("{} {}", self.score_name.as_deref().unwrap_or("score"), crate::words::decimal(score))
            }),
            self.calls.map(|calls| counted(calls, "call", "calls")),
        ];
        let told = told.into_iter().flatten().collect::<Vec<_>>().join(", ");
        vec![Cell::text(why), request.run(&self.trace_id), Cell::name(self.service.as_deref()), Cell::text(told)]
    }
}
