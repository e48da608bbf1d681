//! A report as people and programs get it: sections of tiles, tables and charts, and the queries behind them.
//!
//! Every tile, table and chart names the queries that its numbers come from; [`Page::check`] tells which does not.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracewell_pricing::Amount;

use crate::ask::Query;
use crate::money;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Which report: `cost`, `quality`, `leadership`.
    pub report: Cow<'static, str>,
    /// What it is called.
    pub title: String,
    /// Which period, by its absolute name.
    pub period: String,
    /// Its time zone.
    pub time_zone: String,
    /// From when, in UTC.
    pub since: String,
    /// Until when, not included, in UTC.
    pub until: String,
    /// The dates of the period, for people.
    pub span: String,
    /// When the report was worked out, in UTC.
    pub produced: String,
    /// What is published of the period.
    pub totals: Published,
    /// What has to be known before a number is read: an empty or half-missing period, restated totals. First on the page.
    pub notices: Vec<String>,
    /// The report in a sentence or two.
    pub summary: Vec<String>,
    /// What it tells.
    pub sections: Vec<Section>,
    /// The queries that give its numbers.
    pub queries: Vec<Query>,
}

/// The totals of a page, as they are published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Model calls.
    pub calls: i64,
    /// Of which without a price.
    pub unpriced_calls: i64,
    /// What the others cost, in US dollars.
    #[serde(default, serialize_with = "money::maybe_text", deserialize_with = "money::read")]
    pub cost_usd: Option<Amount>,
    /// The prices it was worked out by.
    #[serde(default)]
    pub prices_version: Option<String>,
    /// What runs came to, on pages that tell of them.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
}

/// What is published of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Runs.
    pub runs: i64,
    /// Of which failed.
    pub failed_runs: i64,
    /// Scores of calls and runs.
    pub scores: i64,
}

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its heading.
    pub title: Cow<'static, str>,
    /// What it consists of.
    pub items: Vec<Item>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Single numbers.
    Tiles(Vec<Tile>),
    /// Rows and columns.
    Table(Table),
    /// A picture of numbers.
    Chart(Chart),
    /// A remark.
    Note(String),
}

/// Whether a change is welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Tone {
    Good,
    Bad,
}

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tile {
    /// What it is.
    pub label: String,
    /// As people read it; `—` where it is not known.
    pub text: String,
    /// The number itself: money as exact text; null where it is not known.
    pub value: Value,
    /// What to compare it with, or how it is worked out.
    pub note: String,
    /// Whether it is welcome.
    pub tone: Option<Tone>,
    /// The numbers of the queries that give it.
    pub queries: Vec<usize>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What its rows are.
    pub caption: String,
    /// Its columns.
    pub heads: Vec<Head>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// The numbers of the queries that give it.
    pub queries: Vec<usize>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// What is in it.
    pub text: Cow<'static, str>,
    /// It holds numbers.
    pub number: bool,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// As people read it.
    pub text: String,
    /// The value itself: money as exact text; null where it is not known.
    pub value: Value,
    /// Whether it is welcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    /// Where more is to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A picture of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What can be seen on it, for those who cannot.
    pub description: String,
    /// Its numbers.
    pub data: Data,
    /// The numbers of the queries that give it.
    pub queries: Vec<usize>,
}

/// The numbers of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// A column for each step of time.
    Columns(Vec<Column>),
    /// From one amount to another, step by step.
    Bridge(Vec<Step>),
    /// Estimates with their intervals, between 0 and 1.
    Intervals(Vec<Estimate>),
}

/// A column of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Below it.
    pub label: String,
    /// How high it is, in US dollars, as exact text; `None` for what has not happened yet or has no price.
    #[serde(default, serialize_with = "money::maybe_text", deserialize_with = "money::read_any")]
    pub value: Option<Amount>,
    /// As people read it.
    pub text: String,
    /// The same step of the period before.
    #[serde(default, serialize_with = "money::maybe_text", deserialize_with = "money::read_any")]
    pub before: Option<Amount>,
}

/// A step of a bridge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it is.
    pub label: String,
    /// What it adds, or for the ends how much it is, in US dollars, as exact text.
    #[serde(serialize_with = "money::text", deserialize_with = "money::read_known")]
    pub value: Amount,
    /// As people read it.
    pub text: String,
    /// It is an end, and stands on the ground.
    pub whole: bool,
}

/// A number with how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Estimate {
    pub label: String,
    pub value: f64,
    pub low: f64,
    pub high: f64,
    /// As people read it.
    pub text: String,
}

impl Cell {
    /// Words.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { value: Value::String(text.clone()), text, ..Self::default() }
    }

    /// A name that may be missing.
    pub(crate) fn name(name: Option<&str>) -> Self {
        name.map_or_else(|| Self { text: "(none)".into(), ..Self::default() }, Self::text)
    }

    /// A number with its words; `—` where it is not known.
    pub(crate) fn number<T: Into<Value>>(value: Option<T>, words: impl FnOnce(&Value) -> String) -> Self {
        let value = value.map_or(Value::Null, Into::into);
        let text = if value.is_null() { UNKNOWN.to_owned() } else { words(&value) };
        Self { text, value, ..Self::default() }
    }
}

/// A single number that one query gives.
pub(crate) fn tile(label: &str, cell: Cell, note: String, query: usize) -> Tile {
    Tile { label: label.into(), text: cell.text, value: cell.value, note, tone: cell.tone, queries: vec![query] }
}

/// A column of words.
pub(crate) fn head(text: &'static str) -> Head {
    Head { text: text.into(), number: false }
}

/// A column of numbers.
pub(crate) fn number(text: &'static str) -> Head {
    Head { text: text.into(), number: true }
}

/// What stands for a number that is not known.
pub(crate) const UNKNOWN: &str = "—";

impl Page {
    /// The pieces with numbers that name no query, or one that is not there: none, unless there is a mistake in a report.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let is_there = |numbers: &[usize]| {
            !numbers.is_empty() && numbers.iter().all(|number| (1..=self.queries.len()).contains(number))
        };
        let mut wrong = Vec::new();
        for item in self.sections.iter().flat_map(|section| &section.items) {
            match item {
                Item::Tiles(tiles) => {
                    wrong.extend(tiles.iter().filter(|tile| !is_there(&tile.queries)).map(|tile| tile.label.clone()));
                }
                Item::Table(table) if !is_there(&table.queries) => wrong.push(table.caption.clone()),
                Item::Chart(chart) if !is_there(&chart.queries) => wrong.push(chart.title.clone()),
                _ => {}
            }
        }
        wrong
    }
}
