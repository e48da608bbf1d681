//! The examples that came out otherwise than with the baseline, and in what their answers differ.

use similar::TextDiff;

use super::evidence::{Grid, Reading};
use super::{Change, Gate, Side, Trial};
use crate::Answer;
use crate::scorers::Score;

/// How many changes are listed.
const MOST: usize = 1000;
/// Of how many changes the answers are compared, and how many lines of each are kept.
const MOST_COMPARED: usize = 50;
const MOST_LINES: usize = 60;
/// Unchanged lines around a change.
const CONTEXT: usize = 2;

/// The changes, the worst first; and how many more there are, of which neither the worst nor the best is one.
pub(super) fn changes(gate: &Gate, grid: &Grid<'_>, left_out: &[usize]) -> (Vec<Change>, usize) {
    let mut changes = Vec::new();
    for scored in &gate.scorers {
        let reading = if scored.source.draws_a_line() { Reading::Passes } else { Reading::Score };
        let (rows, _) = grid.rows(&scored.name, reading, &grid.places_of(scored, left_out), true);
        for row in rows {
            if let [Some(from), Some(to)] = row.known
                && from != to
            {
                let change = Change {
                    example: grid.cases[row.case].id.clone(),
                    scorer: scored.name.clone(),
                    from,
                    to,
                    explanation: String::new(),
                    difference: Vec::new(),
                };
                changes.push((row.case, change));
            }
        }
    }
    changes.sort_by(|(_, one), (_, other)| (one.to - one.from).total_cmp(&(other.to - other.from)));
    let more = changes.len().saturating_sub(MOST);
    if more > 0 {
        changes.drain(MOST / 2..MOST / 2 + more);
    }
    for (place, (case, change)) in changes.iter_mut().enumerate() {
        explain(grid, *case, change, place < MOST_COMPARED);
    }
    (changes.into_iter().map(|(_, change)| change).collect(), more)
}

/// Adds what the scorer said of the candidate, and what differs from the baseline; by the repetitions that show it.
fn explain(grid: &Grid<'_>, case: usize, change: &mut Change, compared: bool) {
    let broke = change.broke();
    let trial = |side, wants_pass: bool| {
        let mut trials: Vec<&Trial> = grid.trials(case, side).filter_map(|(_, trial)| trial.ok()).collect();
        trials.sort_by_key(|trial| passed(trial, &change.scorer) != Some(wants_pass));
        trials.first().copied()
    };
    let (before, now) = (trial(Side::Baseline, broke), trial(Side::Candidate, !broke));
    if let Some(Score::Known { explanation, .. }) = now.and_then(|trial| trial.scores.get(&change.scorer)) {
        change.explanation.clone_from(explanation);
    }
    let answers = (before.and_then(|trial| trial.answer.as_ref()), now.and_then(|trial| trial.answer.as_ref()));
    if let (Some(before), Some(now)) = answers
        && compared
    {
        change.difference = difference(&written(before), &written(now));
    }
}

fn passed(trial: &Trial, scorer: &str) -> Option<bool> {
    match trial.scores.get(scorer) {
        Some(Score::Known { passed, .. }) => *passed,
        _ => None,
    }
}

/// An answer as lines: its text, then its calls.
fn written(answer: &Answer) -> String {
    let text = answer.text.iter().cloned();
    let calls = answer.tool_calls.iter().map(|call| format!("→ {}({})", call.name, call.arguments));
    text.chain(calls).map(|line| line + "\n").collect()
}

fn difference(before: &str, now: &str) -> Vec<(char, String)> {
    let diff = TextDiff::from_lines(before, now);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = change.tag().to_string().chars().next().unwrap_or(' ');
            lines.push((sign, change.value().trim_end_matches('\n').to_owned()));
        }
    }
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push((' ', format!("… and {more} lines more")));
    }
    lines
}
