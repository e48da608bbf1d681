//! Reports and alerts: budgets, schedules, destinations, rules.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tracewell_model::schema::every_table;
use tracewell_report::deliver::Destination;
use tracewell_report::schedule::Schedule;
use tracewell_report::{Budget, GoodOutcome};

use super::TimeSpan;

/// What reports are made of, when, and where they go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReportSettings {
    /// The time zone of periods and schedules that name none.
    pub(crate) time_zone: String,
    /// What people reach `listen.http` by; links to runs begin with it. Without it there are none.
    pub(crate) links: String,
    /// Between two looks at what is due.
    pub(crate) interval: TimeSpan,
    /// What a good outcome is: a run that did not fail, and was not scored low.
    pub(crate) good_outcome: GoodOutcome,
    /// What calls may cost.
    pub(crate) budgets: Vec<Budget>,
    /// What is produced by itself.
    pub(crate) schedules: Vec<Schedule>,
    /// Where reports and alerts are sent to.
    pub(crate) destinations: Vec<Destination>,
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".into(),
            links: String::new(),
            interval: TimeSpan::seconds(30),
            good_outcome: GoodOutcome::default(),
            budgets: Vec::new(),
            schedules: Vec::new(),
            destinations: Vec::new(),
        }
    }
}

impl ReportSettings {
    /// The destination of that name.
    pub(crate) fn destination(&self, name: &str) -> Option<&Destination> {
        self.destinations.iter().find(|destination| destination.name() == name)
    }

    /// What is wrong, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        tracewell_report::zone(&self.time_zone).map_err(|error| error.to_string())?;
        self.good_outcome.check()?;
        self.budgets.iter().try_for_each(|budget| budget.amount().map(|_| ()))?;
        self.schedules.iter().try_for_each(|schedule| {
            name(&schedule.name)?;
            schedule.timetable(&self.time_zone).map(|_| ()).map_err(|error| error.to_string())
        })?;
        for destination in &self.destinations {
            name(destination.name())?;
            destination.check()?;
            if let Destination::Store { folder, .. } = destination {
                is_free(folder)?;
            }
        }
        once("budget", self.budgets.iter().map(|budget| budget.name.as_str()))?;
        once("schedule", self.schedules.iter().map(|schedule| schedule.name.as_str()))?;
        once("destination", self.destinations.iter().map(Destination::name))
    }

    /// Whether everything named is there; told of the whole, as settings are checked one by one before.
    pub(super) fn check_names(&self) -> Result<(), String> {
        for schedule in &self.schedules {
            if let Some(unknown) = schedule.deliver.iter().find(|name| self.destination(name).is_none()) {
                return Err(format!(
                    "schedule `{}` delivers to `{unknown}`, which is none of report.destinations",
                    schedule.name
                ));
            }
        }
        Ok(())
    }
}

/// Names stand in paths and addresses.
pub(super) fn name(name: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(fits) {
        return Err(format!("`{name}` is no name: it has letters, digits, `-`, `_` and `.`"));
    }
    Ok(())
}

pub(super) fn once<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("two of them are called `{name}`; each {what} has a name of its own"));
        }
    }
    Ok(())
}

/// Whether a folder beside the tables may hold other files.
fn is_free(folder: &str) -> Result<(), String> {
    let mut parts = folder.split('/').filter(|part| !part.is_empty());
    let Some(first) = parts.next() else { return Err("a folder is needed, such as `published`".into()) };
    let taken = every_table().iter().any(|table| table.name == first);
    if taken || ["wal", "price-lists", "price-books", "replays"].contains(&first) || folder.contains("..") {
        return Err(format!("`{folder}` is a folder of Tracewell; use another, such as `published`"));
    }
    Ok(())
}
