//! What a run, a session, a user and a good outcome cost.

use tracewell_pricing::Amount;

use crate::figures::{Both, Totals};
use crate::money::{dollars, minus, share, times};
use crate::page::{Tile, tile};
use crate::request::Request;
use crate::runs::Runs;
use crate::words::{change, counted, money, tone};

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

/// Cost by what it was spent for. Runs of which none of the calls has a price are in no sum, and in no count but their
/// own.
pub(crate) fn units(request: &Request, totals: &Both<Totals>, runs: &Both<Runs>) -> Vec<Tile> {
    let of_runs = ("run that began in the period", "runs that began in the period");
    let of_run = |label: &str, count: fn(&Runs) -> i64| {
        let [now, before] = [&runs.now, &runs.before].map(|runs| (runs.cost_usd, count(runs)));
        let tile = unit(label, of_runs, now, before, runs.query);
        match runs.now.runs - runs.now.known {
            0 => tile,
            unpriced => {
                let left_out = counted(unpriced, "run", "runs");
                Tile { note: format!("{}; without {left_out} of which no call has a price", tile.note), ..tile }
            }
        }
    };
    let mut run = of_run("Per run", |runs| runs.known);
    let sum = |amount: Option<Amount>| amount.unwrap_or_default();
    let (spent, in_traces) = (sum(totals.now.cost_usd), sum(totals.now.trace_cost_usd));
    let in_no_run = minus(spent, in_traces) + sum(runs.now.records_cost_usd);
    if in_no_run != Amount::ZERO {
        run.note += &format!("; without {} of calls in no run", dollars(in_no_run));
        run.queries.push(totals.query);
    }
    let mut good = of_run("Per good outcome", |runs| runs.known_good);
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
