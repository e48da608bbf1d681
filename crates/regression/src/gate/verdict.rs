//! What a gate decided, and by which evidence.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Flaky, Side};
use crate::scorers::Value;

/// Whether the candidate may be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Everything that has to hold was shown to hold.
    Pass,
    /// Something could not be shown, one way or the other.
    NotEnoughEvidence,
    /// Something that has to hold does not.
    Fail,
}

impl Decision {
    /// 0, 1 and 2: pass, fail, not enough evidence.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::NotEnoughEvidence => 2,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotEnoughEvidence => "not enough evidence",
        })
    }
}

/// A gate's decision with everything it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Verdict {
    /// Its id, where it is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    pub gate: String,
    pub dataset: String,
    pub baseline: Option<String>,
    /// What the baseline's trials are marked with, such as `refund-helper@12`: for `live`, what was live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_version: Option<String>,
    pub candidate: String,
    /// What the candidate's trials are marked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_version: Option<String>,
    /// The worst of the findings.
    pub decision: Decision,
    pub examples: usize,
    pub repetitions: u32,
    /// One for each thing that has to hold.
    pub findings: Vec<Finding>,
    /// Examples that came out otherwise than with the baseline, the worst first.
    pub changes: Vec<Change>,
    /// Cases that were left out.
    pub flaky: Vec<Flaky>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// One thing that has to hold, and whether it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The scorer, the budget or the case.
    pub about: String,
    /// As the file says it, such as `max_drop = 0.02`.
    pub rule: String,
    /// Whether it holds.
    pub decision: Decision,
    /// In a sentence.
    pub why: String,
    /// Examples it was decided on.
    pub examples: usize,
    /// The candidate's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The comparison with the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// How many results are missing, and some of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: usize,
    /// See `missing`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A comparison in figures. For scores and passes, what is lower is worse; for cost and latency, what is higher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The baseline's mean, with what is missing put at its best; absent where that is all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The candidate's mean, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<f64>,
    /// Of the candidate's mean less the baseline's: each bound holds alone at the wanted confidence. Absent where the
    /// margin is relative or a side has no results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// See `low`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The wanted confidence, one-sided.
    pub confidence: f64,
    /// How likely such results would be, were the candidate worse by the margin. It passes where that is unlikely.
    pub p_pass: f64,
    /// How likely such results would be, were the candidate worse by the margin and no more. It fails where that is
    /// unlikely in the other direction.
    pub p_fail: f64,
    /// `p_fail`, corrected for the number of comparisons.
    pub p_fail_corrected: f64,
    /// McNemar's mid-p, two-sided, for what passes or fails once: whether there is any difference at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcnemar: Option<f64>,
}

impl Measured {
    /// Both sides have results, so that the figures say something.
    pub(super) fn compares(&self) -> bool {
        self.baseline.and(self.candidate).is_some()
    }
}

/// A result that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Gap {
    pub example: String,
    pub side: Side,
    pub repetition: u32,
    pub reason: String,
}

/// An example that came out otherwise than with the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its id.
    pub example: String,
    /// By which scorer.
    pub scorer: String,
    /// The baseline's score, or the share of its repetitions that passed.
    pub from: f64,
    /// The candidate's.
    pub to: f64,
    /// What the scorer said of the candidate.
    pub explanation: String,
    /// What differs between the answers: `-` the baseline's, `+` the candidate's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<(char, String)>,
}

impl Change {
    /// It came out worse.
    #[must_use]
    pub fn broke(&self) -> bool {
        self.to < self.from
    }
}
