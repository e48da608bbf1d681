//! What is asked for: which report, over which period, broken down by what.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};

use crate::budget::Budget;
use crate::dimension::Dimension;
use crate::error::ReportError;
use crate::good::GoodOutcome;
use crate::page::{Cell, Page, Published};
use crate::period::{Period, Window};

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Who spends how much on what, and why that changed.
    Cost,
    /// How good the answers are, and how reliable.
    Quality,
    /// Both on one page, for those who decide.
    Leadership,
}

impl Report {
    /// All, in order.
    pub const ALL: [Self; 3] = [Self::Cost, Self::Quality, Self::Leadership];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Quality => "quality",
            Self::Leadership => "leadership",
        }
    }
}

impl Report {
    const fn title(self) -> &'static str {
        match self {
            Self::Cost => "Cost",
            Self::Quality => "Quality",
            Self::Leadership => "Cost and quality",
        }
    }
}

impl FromStr for Report {
    type Err = ReportError;

    fn from_str(text: &str) -> Result<Self, ReportError> {
        Self::ALL
            .into_iter()
            .find(|report| report.name() == text)
            .ok_or_else(|| ReportError::Asked(format!("`{text}` is no report; there are cost, quality and leadership")))
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which report.
    pub report: Report,
    /// Over which period.
    pub period: Period,
    /// The moment it is asked at: a period that is not over is looked at until then.
    pub now: DateTime<Utc>,
    /// What costs are broken down by.
    pub by: Vec<Dimension>,
    /// What the calls may cost.
    pub budgets: Vec<Budget>,
    /// What a good outcome is.
    pub good: GoodOutcome,
    /// What the path of a run, `/v1/runs/ID`, is put behind to make a link; none are made when it is empty.
    pub links: String,
}

impl Request {
    /// The part of the period that has passed.
    #[must_use]
    pub fn window(&self) -> Window {
        let whole = self.period.window();
        Window { until: whole.until.min(self.now).max(whole.since), ..whole }
    }

    /// What it is compared with.
    #[must_use]
    pub fn before(&self) -> Window {
        self.period.before(self.now)
    }

    /// From the beginning of what it is compared with to its end.
    pub(crate) fn with_before(&self) -> Window {
        Window { since: self.before().since, ..self.window() }
    }

    /// Whether the period is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.period.is_over(self.now)
    }

    /// The page, with nothing on it yet.
    pub(crate) fn page(&self) -> Page {
        let (period, zone) = (&self.period, self.period.zone());
        let Window { since, until } = period.window();
        let utc = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let dates: Vec<NaiveDate> = period.dates().collect();
        Page {
            report: self.report.name().into(),
            title: self.report.title().into(),
            period: period.to_string(),
            time_zone: zone.name().into(),
            since: utc(since),
            until: utc(until),
            span: span(&dates),
            produced: utc(self.now),
            totals: Published::default(),
            notices: Vec::new(),
            summary: Vec::new(),
            sections: Vec::new(),
            queries: Vec::new(),
        }
    }

    /// The condition that a row is of this period or the one before.
    pub(crate) fn both(&self) -> String {
        self.window().condition_with(self.before(), "start_time")
    }

    /// The columns that costs are broken down by, as a list to select.
    pub(crate) fn columns(dimensions: &[Dimension]) -> String {
        let named =
            dimensions.iter().map(
                |Dimension { name, column }| {
                    if name == column { (*column).to_owned() } else { format!("{column} AS {name}") }
                },
            );
        named.collect::<Vec<_>>().join(", ")
    }

    /// A run by its id, with a link to it.
    pub(crate) fn run(&self, id: &str) -> Cell {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let link =
            (is_id && !self.links.is_empty()).then(|| format!("{}/v1/runs/{id}", self.links.trim_end_matches('/')));
        Cell { link, ..Cell::text(id) }
    }
}

/// From the first of these dates to the last, for people.
fn span(dates: &[NaiveDate]) -> String {
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else { return String::new() };
    if first == last {
        return first.format("%A, %-d %B %Y").to_string();
    }
    let form = if first.year() == last.year() { "%-d %b" } else { "%-d %b %Y" };
    format!("{} – {}", first.format(form), last.format("%-d %b %Y"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_over_new_year_names_both_years() {
        let span_of = |period: &str| {
            let period = Period::parse(period, chrono_tz::UTC, Utc::now()).expect("a period");
            span(&period.dates().collect::<Vec<_>>())
        };
        assert_eq!(span_of("2026-W53"), "28 Dec 2026 – 3 Jan 2027");
        assert_eq!(span_of("2026-W47"), "16 Nov – 22 Nov 2026");
        assert_eq!(span_of("2026-11-18"), "Wednesday, 18 November 2026");
    }
}
