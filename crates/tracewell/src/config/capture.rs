//! What the server takes into datasets by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracewell_regression::dataset::check_name;
use tracewell_report::schedule::Moments;

use super::TimeSpan;
use super::report::{name, once};

/// When which rules are asked for examples.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CaptureSettings {
    /// The time zone of schedules that name none.
    pub(crate) time_zone: String,
    /// Between two looks at what is due.
    pub(crate) interval: TimeSpan,
    /// What is taken.
    pub(crate) schedules: Vec<CaptureSchedule>,
}

/// A rule, when it is asked, and what is taken of what it catches: as with `tracewell examples capture`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaptureSchedule {
    /// What it is called; the examples name it as their author.
    pub(crate) name: String,
    /// A named query of the group `capture`.
    pub(crate) rule: String,
    /// Into which dataset.
    pub(crate) dataset: String,
    /// When: minute, hour, day of the month, month, day of the week.
    pub(crate) cron: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    /// The rule is asked about what happened so long before that or later.
    #[serde(default = "a_day")]
    pub(crate) back: TimeSpan,
    /// Values of the rule's parameters.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
    #[serde(default = "usual_limit")]
    pub(crate) limit: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) per_prompt_version: Option<usize>,
    #[serde(default)]
    pub(crate) seed: u64,
    #[serde(default = "usual_near")]
    pub(crate) near: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) split: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

fn a_day() -> TimeSpan {
    TimeSpan::seconds(24 * 3600)
}

fn usual_limit() -> usize {
    50
}

fn usual_near() -> f64 {
    0.8
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self { time_zone: "UTC".into(), interval: TimeSpan::seconds(30), schedules: Vec::new() }
    }
}

impl CaptureSettings {
    /// What is wrong, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        tracewell_report::zone(&self.time_zone).map_err(|error| error.to_string())?;
        for schedule in &self.schedules {
            name(&schedule.name)?;
            let wrong = |reason: &dyn std::fmt::Display| format!("schedule `{}`: {reason}", schedule.name);
            check_name(&schedule.dataset).map_err(|error| wrong(&error))?;
            schedule.moments(&self.time_zone).map_err(|error| wrong(&error))?;
            if !(schedule.near > 0.0 && schedule.near <= 1.0) {
                return Err(wrong(&"`near` is above 0 and up to 1, such as 0.8"));
            }
        }
        once("schedule", self.schedules.iter().map(|schedule| schedule.name.as_str()))
    }
}

impl CaptureSchedule {
    /// When it is due.
    pub(crate) fn moments(&self, usual_zone: &str) -> Result<Moments, tracewell_report::ReportError> {
        Moments::parse(&self.cron, self.time_zone.as_deref().unwrap_or(usual_zone))
    }
}
