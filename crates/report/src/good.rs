//! What a good outcome is: a rule of the operator's, told wherever it is counted by.

use serde::{Deserialize, Serialize};

use crate::sql::{OF_RUNS, quoted};

/// A run is good when it did not fail and was not judged to be bad: by any score, or by the one that is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoodOutcome {
    /// The name of the score that decides; any numeric score of the run and its spans when empty.
    pub score: String,
    /// Below this the outcome is not good.
    pub at_least: f64,
}

impl Default for GoodOutcome {
    fn default() -> Self {
        Self { score: String::new(), at_least: 0.5 }
    }
}

impl GoodOutcome {
    /// What is wrong with it, if anything is.
    ///
    /// # Errors
    /// When the threshold is no number.
    pub fn check(&self) -> Result<(), String> {
        if self.at_least.is_finite() {
            return Ok(());
        }
        Err(format!("good_outcome: `at_least` is {}, which is no number", self.at_least))
    }

    /// The condition that a row of `evaluations` judges a run.
    pub(crate) fn judges(&self) -> String {
        let named = if self.score.is_empty() { String::new() } else { format!(" AND name = {}", quoted(&self.score)) };
        format!("{OF_RUNS}{named}")
    }

    /// The condition that such a row is of a bad outcome.
    pub(crate) fn is_low(&self, value: &str) -> String {
        format!("{value} < {:?}", self.at_least)
    }

    /// The score that it goes by.
    pub(crate) fn judge(&self) -> String {
        if self.score.is_empty() { "score".to_owned() } else { format!("score `{}`", self.score) }
    }

    /// The rule, behind "runs that".
    pub(crate) fn words(&self) -> String {
        format!("did not fail and have no {} below {}", self.judge(), self.at_least)
    }
}
