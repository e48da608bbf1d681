//! What a release rests on.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset};

use crate::gate::Finding;
use crate::prompt::Prompt;
use crate::scorers::Value;

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
    /// What was measured of each scorer: the least share of its findings.
    pub measured: BTreeMap<String, f64>,
}

/// What findings measured of each scorer: the least share, be it a mean score or a pass rate.
#[must_use]
pub fn measured(findings: &[Finding]) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for finding in findings {
        if let Some(Value::Share(share)) = finding.value {
            let least: &mut f64 = all.entry(finding.about.clone()).or_insert(share);
            *least = least.min(share);
        }
    }
    all
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
    pub(super) fn lets_live(&self, prompt: &Prompt, name: &str, rolled_back: Option<&str>) -> Result<(), String> {
        if self.decision != "pass" {
            return Err(format!("the verdict {} on {name} is {}", self.verdict, self.decision.replace('_', " ")));
        }
        if rolled_back.is_some_and(|at| moment(at) >= moment(&self.reached_at)) {
            return Err(format!(
                "the verdict {} passed {name} before it was rolled back; run the gate again, on what went bad too",
                self.verdict
            ));
        }
        for (scorer, least) in prompt.thresholds()? {
            match self.measured.get(&scorer) {
                Some(share) if *share >= least => {}
                Some(share) => {
                    return Err(format!(
                        "{name} wants `{scorer}` at {least}, and the verdict {} has {share}",
                        self.verdict
                    ));
                }
                None => {
                    return Err(format!(
                        "{name} wants `{scorer}` at {least}, and the verdict {} says nothing of it",
                        self.verdict
                    ));
                }
            }
        }
        Ok(())
    }
}

/// A time; what cannot be read is before all others.
pub(super) fn moment(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text).ok()
}
