//! What people read: a list of [`Block`]s, written for a terminal, as Markdown, or as a page of HTML.
//!
//! Everything in a block is hostile until a writer has escaped it for its format.

#![forbid(unsafe_code)]

mod html;
mod markdown;
pub mod spreadsheet;
mod terminal;
mod units;

use std::borrow::Cow;

pub use html::html;
pub use markdown::markdown;
pub use terminal::{Look, terminal};
pub use units::{count, counted, duration, tidy};

/// A piece of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading; 1 is the page's.
    Heading(u8, String),
    /// Names and values.
    Facts(Vec<(&'static str, String)>),
    /// Columns with their heads.
    Table(Vec<Cow<'static, str>>, Vec<Vec<String>>),
    /// Spans over time.
    Waterfall(Vec<Bar>),
    /// A text as it was sent, and what it is.
    Text(String, String),
    /// Code to be pasted, and what it is: no line of it is broken, for what stands behind `--` would become code.
    Code(String, String),
    /// A remark.
    Note(String),
    /// Lines of two texts, with `-`, `+` or a space before each.
    Difference(Vec<(char, String)>),
}

impl Block {
    /// A table.
    #[must_use]
    pub fn table<H: Into<Cow<'static, str>>>(heads: Vec<H>, rows: Vec<Vec<String>>) -> Self {
        Self::Table(heads.into_iter().map(Into::into).collect(), rows)
    }
}

/// A span in a waterfall.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// How deep in the tree.
    pub depth: usize,
    /// The span's name.
    pub name: String,
    /// What the span stands for.
    pub kind: String,
    /// What else is worth a glance.
    pub note: String,
    /// Where it begins and how long it is, as shares of the run, from 0 to 1.
    pub from: f64,
    /// See `from`.
    pub share: f64,
    /// How long it took; `None` where that is not known.
    pub duration_ns: Option<i64>,
    /// It ended in an error.
    pub failed: bool,
}
