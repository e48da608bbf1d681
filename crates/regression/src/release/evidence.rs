//! What a release rests on.

use chrono::{DateTime, FixedOffset};

use crate::prompt::Prompt;

/// A gate's verdict that a release rests on.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Evidence {
    pub verdict: String,
    pub decision: String,
    /// What was tried, as the gate's file calls it.
    pub candidate: String,
    /// The revision on record that was tried; `None` where it was none.
    pub tried: Option<Prompt>,
    /// When it was reached, as RFC 3339.
    pub reached_at: String,
}

impl Evidence {
    /// Whether it says something of what is to be released: the revision, or one that sends the same.
    ///
    /// # Errors
    /// Of what else it speaks.
    pub fn is_of(&self, prompt: &Prompt) -> Result<(), String> {
        let is_same = |tried: &Prompt| tried.name == prompt.name && prompt.changes(Some(tried)).is_empty();
        if self.tried.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        let tried = self.tried.as_ref().map(|tried| format!(", which is `{}@{}`", tried.name, tried.revision));
        Err(format!(
            "the verdict {} is on `{}`{}, and not on `{}@{}`",
            self.verdict,
            self.candidate,
            tried.unwrap_or_default(),
            prompt.name,
            prompt.revision
        ))
    }

    /// Whether it lets a revision go live that was rolled back at `rolled_back`, if it was.
    pub(super) fn lets_live(&self, name: &str, rolled_back: Option<&str>) -> Result<(), String> {
        if self.decision != "pass" {
            return Err(format!("the verdict {} on {name} is {}", self.verdict, self.decision.replace('_', " ")));
        }
        if rolled_back.is_some_and(|at| moment(at) >= moment(&self.reached_at)) {
            return Err(format!(
                "the verdict {} passed {name} before it was rolled back; run the gate again, on what went bad too",
                self.verdict
            ));
        }
        Ok(())
    }
}

/// A time; what cannot be read is before all others.
pub(super) fn moment(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).ok()
}
