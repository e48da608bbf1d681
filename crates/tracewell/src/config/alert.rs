//! Rules of alerts.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tracewell_pricing::Amount;
use tracewell_report::alert::{Limit, Measure, Question};

use super::report::{name, once};
use super::{ReportSettings, TimeSpan};

/// What is watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AlertSettings {
    /// Between two looks.
    pub(crate) interval: TimeSpan,
    /// What is looked at.
    pub(crate) rules: Vec<Rule>,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self { interval: TimeSpan::seconds(60), rules: Vec::new() }
    }
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What it is called.
    pub(crate) name: String,
    /// What is measured: cost, budget, error_rate, latency, unpriced_share, score_drop, missing_data, cost_anomaly,
    /// error_anomaly, traffic_anomaly, sql.
    pub(crate) measure: Measure,
    /// The query of the measure sql: `value`, and perhaps `samples` and `runs`; `$since` and `$until` are the window.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) sql: String,
    /// The budget of the measure budget, of report.budgets; its own stretch of the calendar is the window.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) budget: String,
    /// A condition on `span_costs`, such as `team = 'retail'`, for all measures but sql: only these calls, only scores of
    /// runs with such calls.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) filter: String,
    /// The score of the measure score_drop; each by itself when absent, of which the one that drops most tells.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) score: String,
    /// Beyond this it fires.
    pub(crate) threshold: f64,
    /// It fires below the threshold instead.
    #[serde(default)]
    pub(crate) below: bool,
    /// How far back it looks.
    #[serde(default = "an_hour")]
    pub(crate) window: TimeSpan,
    /// Fewer samples say nothing; three weeks where nothing is said of an anomaly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) minimum: Option<i64>,
    /// It is said again after so long while it fires; not at all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) again: Option<TimeSpan>,
    /// The destinations it is sent to, of report.destinations.
    #[serde(default)]
    pub(crate) deliver: Vec<String>,
}

impl Rule {
    /// What is asked at `now`.
    pub(crate) fn question(&self, report: &ReportSettings, now: DateTime<Utc>) -> Result<Question, String> {
        let Self { name, measure, sql, mut filter, score, .. } = self.clone();
        let (mut window, mut allowed) = (delta(self.window), Amount::ZERO);
        if measure == Measure::Budget {
            let budget = report.budgets.iter().find(|budget| budget.name == self.budget);
            let budget =
                budget.ok_or_else(|| format!("alert rule `{name}`: `{}` is none of report.budgets", self.budget))?;
            window = budget.gone(&report.time_zone, now).map_err(|error| error.to_string())?;
            allowed = budget.amount()?;
            filter =
                if filter.is_empty() { budget.condition() } else { format!("({filter}) AND {}", budget.condition()) };
        }
        let zone = tracewell_report::zone(&report.time_zone).map_err(|error| error.to_string())?;
        Ok(Question { name, measure, sql, filter, score, window, allowed, limit: self.limit(), zone })
    }

    pub(crate) fn limit(&self) -> Limit {
        let Self { threshold, below, measure, .. } = *self;
        let minimum = self.minimum.unwrap_or(measure.usual_minimum());
        Limit { threshold, below, minimum, again: self.again.map(delta) }
    }
}

fn an_hour() -> TimeSpan {
    TimeSpan::seconds(3600)
}

fn delta(span: TimeSpan) -> TimeDelta {
    TimeDelta::from_std(span.get()).unwrap_or(TimeDelta::MAX)
}

impl AlertSettings {
    /// What is wrong, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        for rule in &self.rules {
            name(&rule.name)?;
            if rule.measure == Measure::Sql && rule.sql.trim().is_empty() {
                return Err(format!("alert rule `{}`: the measure sql needs `sql`", rule.name));
            }
            let settings = [
                ("sql", &rule.sql, rule.measure == Measure::Sql),
                ("budget", &rule.budget, rule.measure == Measure::Budget),
                ("score", &rule.score, rule.measure == Measure::ScoreDrop),
                ("filter", &rule.filter, rule.measure != Measure::Sql),
            ];
            if let Some((setting, ..)) = settings.iter().find(|(_, value, fits)| !value.is_empty() && !fits) {
                let name = &rule.name;
                return Err(format!("alert rule `{name}`: its measure does not look at `{setting}`; leave it out"));
            }
            if rule.window.get().is_zero() || !rule.threshold.is_finite() {
                return Err(format!("alert rule `{}`: a window above 0s and a threshold are needed", rule.name));
            }
        }
        once("rule", self.rules.iter().map(|rule| rule.name.as_str()))
    }

    /// Whether everything named is there.
    pub(super) fn check_names(&self, report: &ReportSettings) -> Result<(), String> {
        for rule in &self.rules {
            rule.question(report, DateTime::UNIX_EPOCH)?;
            if let Some(unknown) = rule.deliver.iter().find(|name| report.destination(name).is_none()) {
                return Err(format!(
                    "alert rule `{}` delivers to `{unknown}`, which is none of report.destinations",
                    rule.name
                ));
            }
        }
        Ok(())
    }
}
