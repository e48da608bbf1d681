//! The decision: every finding, then the worst of them.

use tracewell_blocks::counted;
use tracewell_pricing::Amount;

use super::compare::{self, Compared};
use super::evidence::{Grid, Reading, Row};
use super::lines::{cost_of, lacks, latency_of};
use super::verdict::{Decision, Finding, Gap, Measured};
use super::{Criterion, Evidence, Flaky, Gate, Scored, Side, Trial, Verdict, changes, lines};
use crate::scorers::{Score, Value};
use crate::statistics::adjust;

/// What is claimed of the candidate by comparison.
struct Claim<'a> {
    about: &'a str,
    rule: String,
    margin: f64,
    confidence: f64,
    /// The margin is a share of the baseline's mean.
    is_relative: bool,
}

/// What comes of one thing that has to hold.
enum Outcome {
    Found(Finding),
    /// Found once all comparisons are known.
    Waits(Comparison),
}

/// A comparison whose p-value waits for the others.
struct Comparison {
    finding: Finding,
    compared: Compared,
    margin: f64,
    confidence: f64,
    /// Something is missing, so that it can only fail.
    only_fails: bool,
}

impl Gate {
    /// Decides, by `evidence` alone.
    #[must_use]
    pub fn decide(&self, evidence: &Evidence<'_>) -> Verdict {
        let grid = Grid::new(evidence, self.repetitions);
        let (flaky, expired): (Vec<&Flaky>, Vec<&Flaky>) =
            self.flaky.iter().partition(|case| evidence.today <= case.until);
        let left_out: Vec<usize> = flaky.iter().filter_map(|case| grid.place(&case.example)).collect();

        let mut outcomes = Vec::new();
        for scored in &self.scorers {
            let criteria = scored.criteria.iter();
            outcomes.extend(criteria.map(|criterion| self.criterion(&grid, scored, *criterion, &left_out)));
        }
        for (about, key, margin) in [
            ("cost", "max_cost_rise", self.budget.max_cost_rise),
            ("latency", "max_latency_rise", self.budget.max_latency_rise),
        ] {
            outcomes.extend(margin.map(|margin| self.rise(&grid, about, format!("{key} = {margin}"), margin)));
        }
        let mut findings = self.decided(outcomes);
        findings.extend(lines::budget(&self.budget, &grid).into_iter().map(|finding| self.sampled(finding, &grid)));
        findings.extend(self.never_fail.iter().map(|example| self.never_fails(&grid, example)));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.decision));

        let compared = self.baseline.as_ref().map(|_| changes::changes(self, &grid, &left_out));
        let (changes, more) = compared.unwrap_or_default();
        let mut notes = notes(&grid, &flaky, &expired);
        if more > 0 {
            notes.push(counted(more as u64, "smaller change is", "smaller changes are") + " not listed");
        }
        Verdict {
            verdict: None,
            gate: self.name.clone(),
            dataset: self.dataset.to_string(),
            baseline: self.baseline.as_ref().map(ToString::to_string),
            baseline_version: None,
            candidate: self.candidate.to_string(),
            candidate_version: None,
            // Nothing found is nothing shown.
            decision: findings.iter().map(|finding| finding.decision).max().unwrap_or(Decision::NotEnoughEvidence),
            examples: grid.cases.len(),
            repetitions: self.repetitions,
            findings,
            changes,
            flaky: flaky.into_iter().cloned().collect(),
            notes,
        }
    }

    /// A finding, or the comparison that it takes.
    fn criterion(&self, grid: &Grid<'_>, scored: &Scored, criterion: Criterion, left_out: &[usize]) -> Outcome {
        let reading = if criterion.is_of_passes() { Reading::Passes } else { Reading::Score };
        let places = grid.places_of(scored, left_out);
        let (rows, gaps) = grid.rows(&scored.name, reading, &places, criterion.compares());
        let (about, rule) = (scored.name.as_str(), criterion.to_string());
        if rows.len() < scored.minimum_sample || rows.is_empty() {
            return Outcome::Found(too_few(about, rule, rows.len(), scored.minimum_sample));
        }
        match criterion {
            Criterion::MinScore(limit) | Criterion::MinPassRate(limit) => {
                Outcome::Found(lines::share(about, rule, &rows, &gaps, limit))
            }
            Criterion::MaxDrop(margin) | Criterion::MaxPassRateDrop(margin) => {
                let differences: Vec<f64> = rows.iter().map(|row| row.best[1] - row.best[0]).collect();
                let compared = compare::shares(&differences, margin, scored.confidence, self.bootstrap);
                let claim = Claim { about, rule, margin, confidence: scored.confidence, is_relative: false };
                comparison(claim, &rows, &gaps, compared)
            }
        }
    }

    /// The comparison of a measure whose mean may rise by a share of the baseline's.
    fn rise(&self, grid: &Grid<'_>, about: &str, rule: String, margin: f64) -> Outcome {
        let read = |trial: &Trial| match about {
            "cost" => cost_of(trial).map(|cost| cost.units() as f64 / 10_f64.powi(Amount::SCALE as i32)),
            _ => latency_of(trial).map(|time| time.as_secs_f64()),
        };
        let mut gaps = Vec::new();
        let rows: Vec<Row> = (0..grid.cases.len())
            .map(|case| {
                let sides = [Side::Baseline, Side::Candidate];
                Row::new(case, sides.map(|side| grid.mean(case, side, 0.0, &mut gaps, &read)))
            })
            .collect();
        if rows.len() < self.minimum_sample || rows.is_empty() {
            return Outcome::Found(too_few(about, rule, rows.len(), self.minimum_sample));
        }
        if !gaps.is_empty() {
            // What a missing call would have cost is not bounded.
            let finding = Finding::new(about, rule, Decision::NotEnoughEvidence, lacks(&gaps));
            return Outcome::Found(finding.lacking(&gaps));
        }
        let differences: Vec<f64> = rows.iter().map(|row| row.best[0] * (1.0 + margin) - row.best[1]).collect();
        let compared = compare::measures(&differences, self.confidence, self.bootstrap);
        let claim = Claim { about, rule, margin, confidence: self.confidence, is_relative: true };
        comparison(claim, &rows, &gaps, compared)
    }

    /// The findings, with the comparisons corrected for their number.
    fn decided(&self, outcomes: Vec<Outcome>) -> Vec<Finding> {
        let p_values: Vec<f64> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Waits(comparison) => Some(comparison.compared.p_fail),
                Outcome::Found(_) => None,
            })
            .collect();
        let mut corrected = adjust(&p_values, self.correction).into_iter();
        let decided = outcomes.into_iter().filter_map(|outcome| match outcome {
            Outcome::Found(finding) => Some(finding),
            Outcome::Waits(comparison) => corrected.next().map(|p| comparison.decided(p)),
        });
        decided.collect()
    }

    /// A case every scorer has to pass, each time.
    fn never_fails(&self, grid: &Grid<'_>, example: &str) -> Finding {
        let found = |decision, why| Finding::new(example, "never_fail".to_owned(), decision, why);
        let Some(case) = grid.place(example) else {
            return found(Decision::NotEnoughEvidence, "it is not in the dataset".to_owned());
        };
        let (mut gaps, mut failed, mut asked) = (Vec::new(), Vec::new(), 0);
        let scorers = self.scorers.iter().filter(|scored| scored.source.draws_a_line());
        for scored in scorers.filter(|scored| grid.places_of(scored, &[]).contains(&case)) {
            asked += 1;
            for (repetition, trial) in grid.trials(case, Side::Candidate) {
                let score = trial.map(|trial| trial.scores.get(&scored.name));
                let reason = match score {
                    Ok(Some(Score::Known { passed: Some(true), .. })) => continue,
                    Ok(Some(Score::Known { passed: Some(false), explanation, .. })) => {
                        failed.push(format!("{}, repetition {repetition}: {explanation}", scored.name));
                        continue;
                    }
                    Ok(Some(Score::Unknown { reason })) => reason.clone(),
                    Ok(_) => format!("`{}` did not say", scored.name),
                    Err(reason) => reason,
                };
                gaps.push(Gap { example: example.to_owned(), side: Side::Candidate, repetition, reason });
            }
        }
        let finding = match (failed.is_empty(), asked, gaps.is_empty()) {
            (false, ..) => found(Decision::Fail, failed.join("; ")),
            (true, 0, _) => found(Decision::NotEnoughEvidence, "no scorer says whether it passes".to_owned()),
            (true, _, false) => found(Decision::NotEnoughEvidence, lacks(&gaps)),
            (true, _, true) => {
                found(Decision::Pass, counted(asked as u64, "scorer passes", "scorers pass") + " it each time")
            }
        };
        Finding { examples: 1, ..finding }.lacking(&gaps)
    }

    /// A budget's finding, unless there are too few examples for any.
    fn sampled(&self, finding: Finding, grid: &Grid<'_>) -> Finding {
        let examples = grid.cases.len();
        if examples < self.minimum_sample || examples == 0 {
            return too_few(&finding.about, finding.rule, examples, self.minimum_sample);
        }
        Finding { examples, ..finding }
    }
}

/// What a comparison measured; or that there is nothing to compare.
fn comparison(claim: Claim<'_>, rows: &[Row], gaps: &[Gap], compared: Option<Compared>) -> Outcome {
    let Claim { about, rule, margin, confidence, is_relative } = claim;
    let finding = Finding::new(about, rule, Decision::NotEnoughEvidence, lacks(gaps)).lacking(gaps);
    let Some(compared) = compared else { return Outcome::Found(finding) };
    let mean = |side: usize| {
        let mean = rows.iter().map(|row| row.best[side]).sum::<f64>() / rows.len() as f64;
        rows.iter().any(|row| row.found[side]).then_some(mean)
    };
    let bounds = (!is_relative && mean(0).and(mean(1)).is_some()).then_some(compared.interval);
    let measured = Measured {
        baseline: mean(0),
        candidate: mean(1),
        low: bounds.map(|interval| interval.low),
        high: bounds.map(|interval| interval.high),
        confidence,
        p_pass: compared.p_pass,
        p_fail: compared.p_fail,
        p_fail_corrected: compared.p_fail,
        mcnemar: compared.mcnemar,
    };
    let value = measured.candidate.filter(|_| !is_relative && gaps.is_empty()).map(Value::Share);
    let finding = Finding { examples: rows.len(), measured: Some(measured), value, ..finding };
    Outcome::Waits(Comparison { finding, compared, margin, confidence, only_fails: !gaps.is_empty() })
}

impl Comparison {
    fn decided(mut self, corrected: f64) -> Finding {
        let level = 1.0 - self.confidence;
        self.finding.decision = match () {
            () if corrected <= level => Decision::Fail,
            () if self.compared.p_pass <= level && !self.only_fails => Decision::Pass,
            () => Decision::NotEnoughEvidence,
        };
        let lacking = std::mem::take(&mut self.finding.why);
        let told = self.told();
        let compares = self.finding.measured.is_some_and(|measured| measured.compares());
        self.finding.why = match (self.only_fails, compares) {
            (true, true) => format!("{told}; {lacking}, here put at its best"),
            (true, false) => format!("{told}; {lacking}"),
            (false, _) => told,
        };
        if let Some(measured) = &mut self.finding.measured {
            measured.p_fail_corrected = corrected;
        }
        self.finding
    }

    fn told(&self) -> String {
        let Some(Measured { baseline, candidate, low, high, .. }) = self.finding.measured else { return String::new() };
        let (baseline, candidate) = match (baseline, candidate) {
            (Some(baseline), Some(candidate)) => (baseline, candidate),
            (None, Some(_)) => return "the baseline has no results to compare with".to_owned(),
            (Some(_), None) => return "the candidate has no results to compare".to_owned(),
            (None, None) => return "neither side has results to compare".to_owned(),
        };
        let sure = self.confidence * 100.0;
        let moved = match (low, high) {
            (Some(low), Some(high)) => {
                let moved = candidate - baseline;
                format!(
                    "{candidate:.3} after {baseline:.3}, which is {moved:+.3}; {sure}% sure of {low:+.3} or more, and of {high:+.3} or less"
                )
            }
            _ => {
                let share = (candidate / baseline - 1.0) * 100.0;
                format!("{} after {}, which is {share:+.1}%", figure(candidate), figure(baseline))
            }
        };
        let examples = self.finding.examples as u64;
        let hint = match (self.finding.decision, self.compared.needed) {
            (Decision::NotEnoughEvidence, Some(needed)) if needed > examples && !self.only_fails => {
                format!("; about {needed} examples like these would show that it is within {}", self.margin)
            }
            _ => String::new(),
        };
        moved + &hint
    }
}

/// With four digits that count.
pub(super) fn figure(number: f64) -> String {
    let magnitude = if number == 0.0 { 0.0 } else { number.abs().log10().floor() };
    format!("{number:.*}", (3.0 - magnitude).clamp(0.0, 12.0) as usize)
}

fn too_few(about: &str, rule: String, examples: usize, minimum: usize) -> Finding {
    let there = counted(examples as u64, "example is", "examples are");
    let why = format!("{there} fewer than the {} that are needed", minimum.max(1));
    Finding { examples, ..Finding::new(about, rule, Decision::NotEnoughEvidence, why) }
}

fn notes(grid: &Grid<'_>, flaky: &[&Flaky], expired: &[&Flaky]) -> Vec<String> {
    let mut notes = Vec::new();
    for case in expired {
        notes.push(format!("`{}` was flaky until {} and counts again", case.example, case.until));
    }
    for case in flaky.iter().chain(expired).filter(|case| grid.place(&case.example).is_none()) {
        notes.push(format!("`{}` is said to be flaky but is not in the dataset", case.example));
    }
    if grid.strays > 0 {
        let strays = counted(grid.strays as u64, "result is", "results are");
        notes.push(format!("{strays} of no example or repetition of this gate, and not looked at"));
    }
    notes
}
