//! What the server judges by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TimeSpan;

/// Which evaluators the server asks, and about what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EvaluateSettings {
    /// Their names, as `tracewell evaluate` lists them.
    pub(crate) rules: Vec<String>,
    /// Between two rounds, which begin at its multiples; of several servers one has each.
    pub(crate) interval: TimeSpan,
    /// Each round judges what began so long ago or later: what arrives later than that is never judged.
    pub(crate) back: TimeSpan,
    /// The part of the runs that is judged, from 0 to 1.
    pub(crate) sample: f64,
    /// Values of the rules' parameters.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Default for EvaluateSettings {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            interval: TimeSpan::seconds(600),
            back: TimeSpan::seconds(24 * 3600),
            sample: 1.0,
            parameters: BTreeMap::new(),
        }
    }
}
