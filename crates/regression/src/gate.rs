//! The gate: may a candidate be released, by what was measured on a dataset?
//!
//! ```text
//!   file (TOML) ── Gate ──┐
//!   dataset ── cases ─────┼── Gate::decide ── Verdict ── blocks, JSON, JUnit XML
//!   runs ── trials ───────┘
//! ```
//!
//! How it decides:
//! - **A line** (`min_score`, `min_pass_rate`, a budget) is held against what was measured on this dataset.
//! - **A comparison** (`max_drop`, `max_pass_rate_drop`, `max_cost_rise`, `max_latency_rise`) is a claim beyond it: the
//!   candidate is not worse than the baseline by more than the margin. It passes when that is shown at the wanted
//!   confidence, fails when the opposite is, and otherwise there is not enough evidence. Both are tested one-sided on
//!   the examples' paired differences: by Tango's score test where each is a pass or a failure, else by the bootstrap.
//!   Repetitions of an example are averaged first, since they are not independent.
//! - **Many comparisons** are likelier to fail by chance, so the p-values of failing are corrected for their number.
//!   Those of passing are not: the gate passes only if all do, which is no likelier by chance than one.
//! - **What is missing** is never a pass. A finding that lacks data fails if the best that could be missing would not
//!   save it; otherwise there is not enough evidence.
//! - **Known flaky cases** are left out on both sides until their date, and count again from then on.

use std::fmt;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tracewell_pricing::Amount;

use crate::scorers::{Rule, Score, Value};
use crate::statistics::{Bootstrap, Correction};

mod changes;
mod compare;
mod decide;
mod evidence;
mod file;
mod junit;
mod lines;
mod masked;
mod page;
#[cfg(test)]
mod tests;
mod verdict;

pub use evidence::{Case, Evidence, Side, Trial};
pub use file::{GateFileError, Problem};
pub use junit::junit;
pub use page::page;
pub use verdict::{Change, Decision, Finding, Measured, Verdict};

/// What has to hold before a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// On which examples.
    pub dataset: DatasetVersion,
    /// What is compared with; needed where anything is compared.
    pub baseline: Option<Contender>,
    /// What is to be released.
    pub candidate: Contender,
    /// How sure a comparison has to be, one-sided; below 1.
    pub confidence: f64,
    /// For the number of comparisons.
    pub correction: Correction,
    /// Examples that a scorer needs, flaky ones apart.
    pub minimum_sample: usize,
    /// How often each example is run on each side.
    pub repetitions: u32,
    /// How resamples are drawn.
    pub bootstrap: Bootstrap,
    /// What is looked at.
    pub scorers: Vec<Scored>,
    /// What it may cost and take.
    pub budget: Budget,
    /// Examples of which every scorer has to pass every repetition.
    pub never_fail: Vec<String>,
    /// Examples that are known to come out one way or the other.
    pub flaky: Vec<Flaky>,
}

impl Gate {
    /// Whether results of the baseline are needed.
    #[must_use]
    pub fn compares(&self) -> bool {
        let rises = self.budget.max_cost_rise.is_some() || self.budget.max_latency_rise.is_some();
        rises || self.scorers.iter().any(|scored| scored.criteria.iter().any(|criterion| criterion.compares()))
    }
}

/// A dataset's version, such as `refunds@v3` or `refunds@2026-11-20`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DatasetVersion {
    pub name: String,
    pub version: String,
}

/// What can be on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contender {
    /// What is live when the gate runs, in an environment or in the only one.
    Live(Option<String>),
    /// What trials are marked with: a version that an application or harness reports.
    Version(String),
    /// A revision of a prompt on record, by its number or version, or the latest.
    Prompt(String),
    /// A replay that was run before.
    Run(String),
    /// A candidate that is not on record yet.
    File(String),
}

/// A scorer and what it has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Under which name its scores are found.
    pub name: String,
    /// Where they come from.
    pub source: Source,
    /// Only examples with one of these tags; all where empty.
    pub tags: Vec<String>,
    /// What has to hold. Without any it is only shown.
    pub criteria: Vec<Criterion>,
    /// In place of the gate's.
    pub confidence: f64,
    /// In place of the gate's.
    pub minimum_sample: usize,
}

/// Where a score comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// It is computed by a rule.
    Rule(Rule),
    /// It was recorded under a name: a judge's, a human's.
    Recorded(Scale),
}

impl Source {
    /// Whether its scores pass or fail.
    fn draws_a_line(&self) -> bool {
        match self {
            Self::Recorded(Scale { at_least, .. })
            | Self::Rule(Rule::RougeL { at_least } | Rule::TokenF1 { at_least } | Rule::EditSimilarity { at_least }) => {
                at_least.is_some()
            }
            Self::Rule(Rule::Latency { at_most }) => at_most.is_some(),
            Self::Rule(Rule::Cost { at_most }) => at_most.is_some(),
            Self::Rule(_) => true,
        }
    }
}

/// How a recorded score is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Its name in `scores`.
    pub score: String,
    /// What counts as 0.
    pub worst: f64,
    /// What counts as 1.
    pub best: f64,
    /// From which value on it passes, on its own scale; towards `best`.
    pub at_least: Option<f64>,
}

impl Scale {
    /// A recorded value as a score. Unknown where it lies off the scale.
    #[must_use]
    pub fn read(&self, value: f64) -> Score {
        let share = (value - self.worst) / (self.best - self.worst);
        if !(0.0..=1.0).contains(&share) {
            let reason = format!("{value} is not between {} and {}", self.worst, self.best);
            return Score::Unknown { reason };
        }
        let upwards = self.best > self.worst;
        let passed = self.at_least.map(|line| if upwards { value >= line } else { value <= line });
        Score::Known { value: Value::Share(share), passed, explanation: format!("{value} was recorded") }
    }
}

/// What has to hold of a scorer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Criterion {
    /// The candidate's mean score.
    MinScore(f64),
    /// The share of the candidate's answers that pass.
    MinPassRate(f64),
    /// The mean score is no lower than the baseline's by more.
    MaxDrop(f64),
    /// The pass rate is no lower than the baseline's by more.
    MaxPassRateDrop(f64),
}

impl Criterion {
    fn compares(self) -> bool {
        matches!(self, Self::MaxDrop(_) | Self::MaxPassRateDrop(_))
    }

    fn is_of_passes(self) -> bool {
        matches!(self, Self::MinPassRate(_) | Self::MaxPassRateDrop(_))
    }
}

/// What the candidate's calls may cost and take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// US dollars an answer, on average.
    pub mean_cost: Option<Amount>,
    /// US dollars for all answers.
    pub total_cost: Option<Amount>,
    /// On average.
    pub mean_latency: Option<Duration>,
    /// Of 95 in 100 answers.
    pub p95_latency: Option<Duration>,
    /// The mean is no higher than the baseline's by more than this share of it.
    pub max_cost_rise: Option<f64>,
    /// The mean is no higher than the baseline's by more than this share of it.
    pub max_latency_rise: Option<f64>,
}

/// An example that is known to come out one way or the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaky {
    /// Its id.
    pub example: String,
    /// The last day on which that is put up with.
    pub until: NaiveDate,
    /// Why.
    pub reason: Option<String>,
}

impl fmt::Display for DatasetVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live(None) => f.write_str("live"),
            Self::Live(Some(environment)) => write!(f, "live:{environment}"),
            Self::Version(version) => write!(f, "version:{version}"),
            Self::Prompt(prompt) => write!(f, "prompt:{prompt}"),
            Self::Run(run) => write!(f, "run:{run}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinScore(share) => write!(f, "min_score = {share}"),
            Self::MinPassRate(share) => write!(f, "min_pass_rate = {share}"),
            Self::MaxDrop(share) => write!(f, "max_drop = {share}"),
            Self::MaxPassRateDrop(share) => write!(f, "max_pass_rate_drop = {share}"),
        }
    }
}
