//! What a run, a session, a user and a good outcome cost.

use serde::Deserialize;
use tracewell_pricing::Amount;

use crate::ask::{Ask, Questions};
use crate::error::ReportError;
use crate::figures::{Both, Totals, which};
use crate::money::{self, dollars, minus, share, times};
use crate::page::{Tile, tile};
use crate::request::Request;
use crate::runs::{IS_GOOD, judged};
use crate::sql::TRAFFIC;
use crate::words::{change, counted, money, tone};

/// What the runs of a period cost, of those of which that is known.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RunCosts {
    runs: i64,
    good: i64,
    /// None of their calls has a price.
    unpriced_runs: i64,
    #[serde(deserialize_with = "money::read")]
    cost_usd: Option<Amount>,
    /// Of traces that only log records tell of: they are no runs.
    #[serde(deserialize_with = "money::read")]
    records_cost_usd: Option<Amount>,
}

impl RunCosts {
    pub(crate) async fn ask<A: Ask>(
        questions: &mut Questions<'_, A>,
        request: &Request,
    ) -> Result<Both<Self>, ReportError> {
        let sql = format!(
            "SELECT
    {which} AS period,
    count(*) FILTER (WHERE is_run AND is_known) AS runs,
    count(*) FILTER (WHERE is_run AND is_known AND {IS_GOOD}) AS good,
    count(*) FILTER (WHERE is_run AND NOT is_known) AS unpriced_runs,
    sum(cost_usd) FILTER (WHERE is_run) AS cost_usd,
    sum(cost_usd) FILTER (WHERE NOT is_run) AS records_cost_usd
FROM (
    -- Runs that began in the period, with all their calls. What only log records tell of is no run. What a run cost is not
    -- known where it has calls and none of them a price: it is in no sum, and in no count but its own.
    SELECT
        t.date, t.start_time, t.status, s.lowest, t.cost_usd,
        t.span_count > 0 AS is_run,
        t.cost_usd IS NOT NULL OR t.unpriced_calls = 0 AS is_known
    FROM traces AS t
    LEFT JOIN {judged} AS s ON s.tenant = t.tenant AND s.trace_id = t.trace_id
    WHERE NOT t.only_duplicates AND t.{TRAFFIC}
) AS runs
WHERE {both}
GROUP BY 1",
            which = which(request),
            judged = judged(request),
            both = request.both(),
        );
        Both::ask(questions, "What runs cost", sql).await
    }
}

/// An amount, and how many things it is of.
type Spent = (Option<Amount>, i64);

/// What one of them cost, against before.
fn unit(label: &str, (one, many): (&str, &str), now: Spent, before: Spent, query: usize) -> Tile {
    let each = |(cost, of): Spent| times(cost?, 1, of);
    let moved = each(now)
        .zip(each(before))
        .and_then(|(now, before)| Some((minus(now, before), share(minus(now, before), before)?)));
    let against = moved
        .map_or_else(|| "nothing to compare with".to_owned(), |(_, moved)| format!("{} against before", change(moved)));
    let note = format!("{}; {against}", counted(now.1, one, many));
    Tile { tone: moved.and_then(|(difference, _)| tone(difference)), ..tile(label, money(each(now)), note, query) }
}

/// Cost by what it was spent for.
pub(crate) fn units(request: &Request, totals: &Both<Totals>, costs: &Both<RunCosts>) -> Vec<Tile> {
    let of_runs = ("run that began in the period", "runs that began in the period");
    let of_run = |label: &str, count: fn(&RunCosts) -> i64| {
        let [now, before] = [&costs.now, &costs.before].map(|costs| (costs.cost_usd, count(costs)));
        let tile = unit(label, of_runs, now, before, costs.query);
        match costs.now.unpriced_runs {
            0 => tile,
            runs => {
                let left_out = counted(runs, "run", "runs");
                Tile { note: format!("{}; without {left_out} of which no call has a price", tile.note), ..tile }
            }
        }
    };
    let mut run = of_run("Per run", |costs| costs.runs);
    let sum = |amount: Option<Amount>| amount.unwrap_or_default();
    let (spent, in_traces) = (sum(totals.now.cost_usd), sum(totals.now.trace_cost_usd));
    let in_no_run = minus(spent, in_traces) + sum(costs.now.records_cost_usd);
    if in_no_run != Amount::ZERO {
        run.note += &format!("; without {} of calls in no run", dollars(in_no_run));
        run.queries.push(totals.query);
    }
    let mut good = of_run("Per good outcome", |costs| costs.good);
    good.note += &format!("; a good outcome: runs that {}", request.good.words());
    let of_calls = |label: &str, names: (&str, &str), of: fn(&Totals) -> Spent| {
        unit(label, names, of(&totals.now), of(&totals.before), totals.query)
    };
    let sessions = ("session with a priced call", "sessions with a priced call");
    let users = ("user with a priced call", "users with a priced call");
    vec![
        run,
        of_calls("Per session", sessions, |totals| (totals.session_cost_usd, totals.sessions)),
        of_calls("Per user", users, |totals| (totals.user_cost_usd, totals.users)),
        good,
    ]
}
