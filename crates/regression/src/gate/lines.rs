//! Lines that what was measured is held against: a mean score, a pass rate, a budget.

use std::time::Duration;

use tracewell_pricing::Amount;

use super::evidence::{Grid, Row};
use super::verdict::{Decision, Finding, Gap};
use super::{Budget, Side, Trial};
use crate::scorers::Value;

/// What decimal fractions lose as binary ones.
const ROUNDING: f64 = 1e-9;
/// How many of the missing results are named.
const MOST_GAPS: usize = 20;

impl Finding {
    pub(super) fn new(about: &str, rule: String, decision: Decision, why: String) -> Self {
        let about = about.to_owned();
        Self { about, rule, decision, why, examples: 0, value: None, measured: None, missing: 0, gaps: Vec::new() }
    }

    /// Takes note of what is missing.
    pub(super) fn lacking(mut self, gaps: &[Gap]) -> Self {
        self.missing = gaps.len();
        self.gaps = gaps.iter().take(MOST_GAPS).cloned().collect();
        self
    }
}

/// What is said where results are missing.
pub(super) fn lacks(gaps: &[Gap]) -> String {
    let first = gaps.first().map(|gap| {
        let side = if gap.side == Side::Baseline { "baseline" } else { "candidate" };
        format!(": `{}`, {side}, repetition {}: {}", gap.example, gap.repetition, gap.reason)
    });
    let results = if gaps.len() == 1 { "a result is" } else { "results are" };
    let count = if gaps.len() == 1 { String::new() } else { format!("{} ", gaps.len()) };
    format!("{count}{results} missing{}", first.unwrap_or_default())
}

/// Whether the candidate's mean is at least `limit`.
pub(super) fn share(about: &str, rule: String, rows: &[Row], gaps: &[Gap], limit: f64) -> Finding {
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / count
    };
    let value = mean(&mut rows.iter().filter_map(|row| row.known[1]));
    let best = mean(&mut rows.iter().map(|row| row.best[1]));
    let reached = best >= limit - ROUNDING;
    let (decision, why) = match (reached, gaps.is_empty()) {
        (true, true) => (Decision::Pass, format!("it is {value:.3}")),
        (false, true) => (Decision::Fail, format!("it is {value:.3}, which is {:.3} too low", limit - value)),
        (false, false) => {
            (Decision::Fail, format!("it is {best:.3} even if all that is missing were perfect; {}", lacks(gaps)))
        }
        (true, false) => (Decision::NotEnoughEvidence, lacks(gaps)),
    };
    let value = value.is_finite().then_some(Value::Share(value));
    Finding { value, examples: rows.len(), ..Finding::new(about, rule, decision, why) }.lacking(gaps)
}

/// A measure of each of the candidate's answers.
struct Measures<T> {
    /// Those that are known, in order of size.
    known: Vec<T>,
    gaps: Vec<Gap>,
}

impl<T: Ord> Measures<T> {
    fn new(grid: &Grid<'_>, read: impl Fn(&Trial) -> Result<T, String>) -> Self {
        let mut measures = Self { known: Vec::new(), gaps: Vec::new() };
        for (case, place) in grid.cases.iter().zip(0..) {
            for (repetition, trial) in grid.trials(place, Side::Candidate) {
                match trial.and_then(&read) {
                    Ok(value) => measures.known.push(value),
                    Err(reason) => {
                        let example = case.id.clone();
                        measures.gaps.push(Gap { example, side: Side::Candidate, repetition, reason });
                    }
                }
            }
        }
        measures.known.sort();
        measures
    }

    fn count(&self) -> usize {
        self.known.len() + self.gaps.len()
    }
}

pub(super) fn cost_of(trial: &Trial) -> Result<Amount, String> {
    trial.cost.ok_or_else(|| "it is unpriced".to_owned())
}

pub(super) fn latency_of(trial: &Trial) -> Result<Duration, String> {
    trial.latency.ok_or_else(|| "its latency is not known".to_owned())
}

/// What the budget says, as far as it draws lines. What is missing is put at nothing: what is over so, is over.
pub(super) fn budget(budget: &Budget, grid: &Grid<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Budget { mean_cost, total_cost, mean_latency, p95_latency, .. } = *budget;
    if mean_cost.is_some() || total_cost.is_some() {
        let costs = Measures::new(grid, cost_of);
        // What would overflow is over every limit.
        let total = costs.known.iter().fold(0, |total: i128, cost| total.saturating_add(cost.units()));
        if let Some(limit) = mean_cost {
            let count = costs.count().max(1) as i128;
            let within_limit = total <= limit.units().saturating_mul(count);
            let mean = Value::Usd(rounded(total / count));
            findings.push(within("cost", "mean_cost", mean, Value::Usd(limit), within_limit, &costs));
        }
        if let Some(limit) = total_cost {
            let total = Amount::from_units(total);
            findings.push(within("cost", "total_cost", Value::Usd(total), Value::Usd(limit), total <= limit, &costs));
        }
    }
    if mean_latency.is_some() || p95_latency.is_some() {
        let times = Measures::new(grid, latency_of);
        if let Some(limit) = mean_latency {
            let sum = times.known.iter().fold(Duration::ZERO, |sum, time| sum.saturating_add(*time));
            let mean = sum / u32::try_from(times.count().max(1)).unwrap_or(u32::MAX);
            findings.push(within(
                "latency",
                "mean_latency",
                Value::Time(mean),
                Value::Time(limit),
                mean <= limit,
                &times,
            ));
        }
        if let Some(limit) = p95_latency {
            // The nearest rank, with what is missing before all others.
            let rank = (times.count() * 95).div_ceil(100);
            let p95 = rank.checked_sub(times.gaps.len() + 1).map_or(Duration::ZERO, |place| times.known[place]);
            findings.push(within("latency", "p95_latency", Value::Time(p95), Value::Time(limit), p95 <= limit, &times));
        }
    }
    findings
}

/// To the billionth, which is enough to be read.
fn rounded(units: i128) -> Amount {
    let step = 10_i128.pow(Amount::SCALE - 9);
    Amount::from_units(units.saturating_add(step / 2) / step * step)
}

fn within<T>(about: &str, key: &str, value: Value, limit: Value, within: bool, measures: &Measures<T>) -> Finding {
    let gaps = &measures.gaps;
    let (decision, why) = match (within, gaps.is_empty()) {
        (true, true) => (Decision::Pass, format!("it is {value}")),
        (false, true) => (Decision::Fail, format!("it is {value}")),
        (false, false) => (Decision::Fail, format!("it is {value} even without what is missing; {}", lacks(gaps))),
        (true, false) => (Decision::NotEnoughEvidence, lacks(gaps)),
    };
    let value = gaps.is_empty().then_some(value);
    Finding { value, ..Finding::new(about, format!("{key} = {limit}"), decision, why) }.lacking(gaps)
}
