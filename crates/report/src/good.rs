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
    /// A value below this of an end user's is no good feedback.
    pub feedback_at_least: f64,
    /// An end user's label without a value is good feedback when it is one of these, in any case of letters.
    pub feedback_labels: Vec<String>,
}

/// Labels of good feedback where the settings name none.
const GOOD_LABELS: [&str; 9] =
    ["good", "positive", "up", "thumbs_up", "thumbs-up", "like", "yes", "correct", "helpful"];

impl Default for GoodOutcome {
    fn default() -> Self {
        let feedback_labels = GOOD_LABELS.map(str::to_owned).to_vec();
        Self { score: String::new(), at_least: 0.5, feedback_at_least: 0.5, feedback_labels }
    }
}

impl GoodOutcome {
    /// What is wrong with it, if anything is.
    ///
    /// # Errors
    /// When a threshold is no number.
    pub fn check(&self) -> Result<(), String> {
        let thresholds = [("at_least", self.at_least), ("feedback_at_least", self.feedback_at_least)];
        match thresholds.into_iter().find(|(_, threshold)| !threshold.is_finite()) {
            Some((name, threshold)) => Err(format!("good_outcome: `{name}` is {threshold}, which is no number")),
            None => Ok(()),
        }
    }

    /// The condition that an end user's score is good: by its value, else by its label.
    pub(crate) fn is_good_feedback(&self) -> String {
        let labels: Vec<String> = self.feedback_labels.iter().map(|label| quoted(&label.to_lowercase())).collect();
        let by_label = match labels.as_slice() {
            [] => "false".to_owned(),
            labels => format!("lower(label) IN ({})", labels.join(", ")),
        };
        format!("CASE WHEN value IS NULL THEN {by_label} ELSE value >= {:?} END", self.feedback_at_least)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_is_good_by_its_value_else_by_its_label() {
        let five =
            GoodOutcome {
                feedback_at_least: 4.0, feedback_labels: vec!["Très bon'".into()], ..GoodOutcome::default()
            };
        assert_eq!(
            five.is_good_feedback(),
            "CASE WHEN value IS NULL THEN lower(label) IN ('très bon''') ELSE value >= 4.0 END"
        );
        let none = GoodOutcome { feedback_labels: Vec::new(), ..GoodOutcome::default() };
        assert_eq!(none.is_good_feedback(), "CASE WHEN value IS NULL THEN false ELSE value >= 0.5 END");
        let wrong = GoodOutcome { feedback_at_least: f64::INFINITY, ..GoodOutcome::default() };
        assert!(wrong.check().is_err_and(|told| told.contains("`feedback_at_least` is inf")));
    }
}
