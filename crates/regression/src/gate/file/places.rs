//! Where in the file something stands.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// A file and the places of its keys.
pub(super) struct Places<'a> {
    text: &'a str,
    table: Spanned<DeTable<'a>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Problem> {
        let table = DeTable::parse(text).map_err(|error| problem(text, &error))?;
        Ok(Self { text, table })
    }

    pub(super) fn gate(&self) -> &DeTable<'a> {
        self.table.get_ref()
    }

    /// The section of this name, or all of them.
    pub(super) fn tables(&self, section: &str) -> Vec<&DeTable<'a>> {
        match self.gate().get(section).map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => vec![table],
            Some(DeValue::Array(array)) => array
                .iter()
                .filter_map(|value| match value.get_ref() {
                    DeValue::Table(table) => Some(table),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The line of a key in the section at this place, or of another of its keys; the file's own where the section is
    /// empty.
    pub(super) fn line(&self, section: &str, place: usize, key: &str) -> usize {
        let tables = if section.is_empty() { vec![self.gate()] } else { self.tables(section) };
        let keys = tables.get(place).into_iter().flat_map(|table| table.keys());
        let starts = keys.map(|found| (found.get_ref() != key, found.span().start));
        self.line_at(starts.min().map_or(0, |(_, start)| start))
    }

    pub(super) fn line_at(&self, byte: usize) -> usize {
        line_at(self.text, byte)
    }

    pub(super) fn problem(&self, error: &toml::de::Error) -> Problem {
        problem(self.text, error)
    }
}

fn problem(text: &str, error: &toml::de::Error) -> Problem {
    Problem { line: line_at(text, error.span().map_or(0, |span| span.start)), reason: error.message().to_owned() }
}

fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
