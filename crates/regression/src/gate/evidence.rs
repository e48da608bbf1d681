//! What a gate decides upon: the dataset's cases and what each side made of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tracewell_pricing::Amount;

use super::Scored;
use super::verdict::Gap;
use crate::Answer;
use crate::scorers::{Score, Value};

/// Everything a gate is told.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The examples of the dataset's version.
    pub cases: &'a [Case],
    /// What was run, of both sides and in any order.
    pub trials: &'a [Trial],
    /// For the dates of flaky cases.
    pub today: NaiveDate,
}

/// An example, as far as a gate has to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Case {
    pub id: String,
    pub tags: Vec<String>,
}

/// The side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Side {
    Baseline,
    Candidate,
}

/// One run of one example on one side.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The example's id.
    pub example: String,
    /// On which side.
    pub side: Side,
    /// Counted from 1.
    pub repetition: u32,
    /// What came out, to show what differs.
    pub answer: Option<Answer>,
    /// How long the call took.
    pub latency: Option<Duration>,
    /// What it cost, in US dollars; `None` where it is unpriced.
    pub cost: Option<Amount>,
    /// By the name of the scorer.
    pub scores: BTreeMap<String, Score>,
}

/// The trials, each in its place.
pub(super) struct Grid<'a> {
    pub(super) cases: &'a [Case],
    pub(super) repetitions: u32,
    places: HashMap<&'a str, usize>,
    cells: Vec<Cell<'a>>,
    /// Trials of examples or repetitions that are none of the gate's.
    pub(super) strays: usize,
}

#[derive(Clone, Copy)]
enum Cell<'a> {
    Empty,
    One(&'a Trial),
    Several,
}

/// What is read of a trial.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    Score,
    Passes,
}

/// What a scorer says of one case on both sides, its repetitions averaged.
pub(super) struct Row {
    pub(super) case: usize,
    /// `None` where a repetition is missing.
    pub(super) known: [Option<f64>; 2],
    /// With what is missing put as it would serve the candidate best.
    pub(super) best: [f64; 2],
    /// Whether any repetition gave a result.
    pub(super) found: [bool; 2],
}

/// A value of each repetition, averaged.
pub(super) struct Mean {
    /// `None` where a repetition is missing.
    known: Option<f64>,
    /// With each missing one put at its best.
    best: f64,
    /// Whether any repetition gave a result.
    found: bool,
}

impl Row {
    pub(super) fn new(case: usize, [baseline, candidate]: [Mean; 2]) -> Self {
        Self {
            case,
            known: [baseline.known, candidate.known],
            best: [baseline.best, candidate.best],
            found: [baseline.found, candidate.found],
        }
    }
}

impl<'a> Grid<'a> {
    pub(super) fn new(evidence: &Evidence<'a>, repetitions: u32) -> Self {
        let places: HashMap<&str, usize> =
            evidence.cases.iter().enumerate().map(|(place, case)| (case.id.as_str(), place)).collect();
        let cells = vec![Cell::Empty; evidence.cases.len() * 2 * repetitions as usize];
        let mut grid = Self { cases: evidence.cases, repetitions, places, cells, strays: 0 };
        for trial in evidence.trials {
            match grid.place(&trial.example) {
                Some(case) if (1..=repetitions).contains(&trial.repetition) => {
                    let at = grid.at(case, trial.side, trial.repetition);
                    grid.cells[at] =
                        if matches!(grid.cells[at], Cell::Empty) { Cell::One(trial) } else { Cell::Several };
                }
                _ => grid.strays += 1,
            }
        }
        grid
    }

    pub(super) fn place(&self, example: &str) -> Option<usize> {
        self.places.get(example).copied()
    }

    fn at(&self, case: usize, side: Side, repetition: u32) -> usize {
        (case * 2 + side as usize) * self.repetitions as usize + repetition as usize - 1
    }

    /// The trials of a case on a side, by repetition; or why there is none.
    pub(super) fn trials(&self, case: usize, side: Side) -> impl Iterator<Item = (u32, Result<&'a Trial, String>)> {
        (1..=self.repetitions).map(move |repetition| {
            let trial = match self.cells[self.at(case, side, repetition)] {
                Cell::One(trial) => Ok(trial),
                Cell::Empty => Err("it was not run".to_owned()),
                Cell::Several => Err("there are several results, and no telling which holds".to_owned()),
            };
            (repetition, trial)
        })
    }

    /// A value of each repetition, averaged; `gaps` takes those that are missing.
    pub(super) fn mean(
        &self,
        case: usize,
        side: Side,
        best: f64,
        gaps: &mut Vec<Gap>,
        read: &dyn Fn(&Trial) -> Result<f64, String>,
    ) -> Mean {
        let (mut sum, mut missing) = (0.0, 0_u32);
        for (repetition, trial) in self.trials(case, side) {
            match trial.and_then(read) {
                Ok(value) => sum += value,
                Err(reason) => {
                    missing += 1;
                    gaps.push(Gap { example: self.cases[case].id.clone(), side, repetition, reason });
                }
            }
        }
        let count = f64::from(self.repetitions);
        Mean {
            known: (missing == 0).then_some(sum / count),
            best: (sum + best * f64::from(missing)) / count,
            found: missing < self.repetitions,
        }
    }

    /// What a scorer says of the cases at `places`, on the candidate's side and the baseline's if that is wanted.
    pub(super) fn rows(&self, scorer: &str, reading: Reading, places: &[usize], both: bool) -> (Vec<Row>, Vec<Gap>) {
        let mut gaps = Vec::new();
        let read = |trial: &Trial| reading.of(trial, scorer);
        let rows = places.iter().map(|case| {
            let baseline = if both {
                self.mean(*case, Side::Baseline, 0.0, &mut gaps, &read)
            } else {
                Mean { known: None, best: 0.0, found: false }
            };
            Row::new(*case, [baseline, self.mean(*case, Side::Candidate, 1.0, &mut gaps, &read)])
        });
        (rows.collect(), gaps)
    }

    /// The places of the cases that a scorer looks at.
    pub(super) fn places_of(&self, scored: &Scored, left_out: &[usize]) -> Vec<usize> {
        let wanted = |case: &Case| scored.tags.is_empty() || case.tags.iter().any(|tag| scored.tags.contains(tag));
        (0..self.cases.len()).filter(|place| !left_out.contains(place) && wanted(&self.cases[*place])).collect()
    }
}

impl Reading {
    fn of(self, trial: &Trial, scorer: &str) -> Result<f64, String> {
        match (trial.scores.get(scorer), self) {
            (None, _) => Err("it was not scored".to_owned()),
            (Some(Score::Unknown { reason }), _) => Err(reason.clone()),
            (Some(Score::Known { value: Value::Share(share), .. }), Self::Score) if (0.0..=1.0).contains(share) => {
                Ok(*share)
            }
            (Some(Score::Known { .. }), Self::Score) => Err("its score is not from 0 to 1".to_owned()),
            (Some(Score::Known { passed: Some(passed), .. }), Self::Passes) => Ok(if *passed { 1.0 } else { 0.0 }),
            (Some(Score::Known { passed: None, .. }), Self::Passes) => Err("it neither passed nor failed".to_owned()),
        }
    }
}
