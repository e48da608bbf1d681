//! The file that declares a gate.
//!
//! ```toml
//! name = "refunds"
//! dataset = "refunds@v3"
//! baseline = "live:production"          # or "version:12", or "run:ID"
//! candidate = "version:13"              # or "prompt:NAME@REVISION", or "file:PATH"
//! confidence = 0.95
//! correction = "holm"                   # or "benjamini-hochberg", or "none"
//! minimum_sample = 50
//! repetitions = 3
//! never_fail = ["refund-above-limit"]
//!
//! [[scorer]]
//! name = "right tools"
//! kind = "tool-calls"                   # a rule with its keys, or "recorded"
//! order = "any"
//! min_pass_rate = 0.9
//! max_pass_rate_drop = 0.02
//!
//! [budget]
//! mean_cost = "0.004"
//! p95_latency = "6s"
//! max_cost_rise = 0.1
//!
//! [[flaky]]
//! example = "what-day-is-it"
//! until = 2026-12-31
//! ```

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use tracewell_pricing::Amount;

use super::Gate;

mod keys;
mod places;
mod reader;

use places::Places;
use reader::Reader;

/// Everything that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct GateFileError(pub Vec<Problem>);

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// The file as it is written. Keys are checked before, so that the right one can be suggested; those of rules are read
/// apart.
#[derive(Deserialize)]
struct File {
    name: String,
    dataset: String,
    baseline: Option<String>,
    candidate: String,
    confidence: Option<f64>,
    correction: Option<String>,
    minimum_sample: Option<usize>,
    repetitions: Option<u32>,
    seed: Option<u64>,
    resamples: Option<usize>,
    #[serde(default)]
    never_fail: Vec<String>,
    #[serde(default)]
    scorer: Vec<FileScorer>,
    #[serde(default)]
    budget: FileBudget,
    #[serde(default)]
    flaky: Vec<FileFlaky>,
}

#[derive(Deserialize)]
struct FileScorer {
    name: String,
    kind: String,
    #[serde(default)]
    tags: Vec<String>,
    min_score: Option<f64>,
    min_pass_rate: Option<f64>,
    max_drop: Option<f64>,
    max_pass_rate_drop: Option<f64>,
    confidence: Option<f64>,
    minimum_sample: Option<usize>,
    score: Option<String>,
    worst: Option<f64>,
    best: Option<f64>,
    at_least: Option<f64>,
}

#[derive(Default, Deserialize)]
struct FileBudget {
    #[serde(default, with = "crate::scorers::written::amount")]
    mean_cost: Option<Amount>,
    #[serde(default, with = "crate::scorers::written::amount")]
    total_cost: Option<Amount>,
    #[serde(default, with = "crate::scorers::written::duration")]
    mean_latency: Option<Duration>,
    #[serde(default, with = "crate::scorers::written::duration")]
    p95_latency: Option<Duration>,
    max_cost_rise: Option<f64>,
    max_latency_rise: Option<f64>,
}

#[derive(Deserialize)]
struct FileFlaky {
    example: String,
    until: toml::value::Datetime,
    reason: Option<String>,
}

impl Gate {
    /// Reads a gate.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line.
    pub fn parse(text: &str) -> Result<Self, GateFileError> {
        let one = |problem| GateFileError(vec![problem]);
        let places = Places::new(text).map_err(one)?;
        let unknown = keys::unknown(&places);
        if !unknown.is_empty() {
            return Err(GateFileError(unknown));
        }
        let file: File = toml::from_str(text).map_err(|error| one(places.problem(&error)))?;
        let tables: toml::Table = toml::from_str(text).map_err(|error| one(places.problem(&error)))?;
        Reader::new(places).read(file, &tables).map_err(GateFileError)
    }
}
