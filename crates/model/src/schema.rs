//! The published schema of the tables: every column with its type and meaning.
//!
//! The tables are the product: this module is the contract that writers, views, the documentation page and
//! the tests are held against. Adding a column is a minor change, anything else a major one.

mod derived;
mod facts;
mod kept;
mod prices;

pub use derived::{CALLS, DERIVED_TABLES, TRACES};
pub use facts::{CONTENTS, FACT_TABLES, LOGS, SCORES, SPANS};
pub use kept::{ALERTS, EXAMPLES, KEPT_TABLES, PROMPTS, RELEASES, REPORTS, REVIEWS, VERDICTS};
pub use prices::PRICES;

/// `major.minor` of the published schema.
pub const SCHEMA_VERSION: &str = "0.6";

/// The type of a column, as SQL and Delta Lake see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// 64-bit signed integer.
    Int64,
    /// 32-bit signed integer.
    Int32,
    /// IEEE double.
    Double,
    /// true or false.
    Bool,
    /// Microseconds since 1970-01-01 UTC.
    Timestamp,
    /// A UTC calendar day.
    Date,
    /// `Map<text, text>`.
    Map,
    /// `List<text>`.
    TextList,
    /// `List<Struct{hash, role, bytes, source, form}>`: ordered references into `contents`.
    Refs,
    /// `Struct{hash, role, bytes, source, form}`: one reference into `contents`.
    Ref,
    /// `List<Struct{time_unix_nano, name, attributes, dropped_attributes}>`.
    Events,
    /// `List<Struct{trace_id, span_id, trace_state, attributes, dropped_attributes}>`.
    Links,
    /// `List<Struct{trace_id, span_id}>`.
    SpanIds,
    /// `Struct{span_id, input_tokens, output_tokens}`.
    SubtreeUsage,
}

impl ColumnType {
    /// The type as the schema page shows it.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int64 => "bigint",
            Self::Int32 => "integer",
            Self::Double => "double",
            Self::Bool => "boolean",
            Self::Timestamp => "timestamp (µs, UTC)",
            Self::Date => "date",
            Self::Map => "map<text, text>",
            Self::TextList => "list<text>",
            Self::Refs => "list<struct<hash, role, bytes, source, form>>",
            Self::Ref => "struct<hash, role, bytes, source, form>",
            Self::Events => "list<struct<time_unix_nano, name, attributes, dropped_attributes>>",
            Self::Links => "list<struct<trace_id, span_id, trace_state, attributes, dropped_attributes>>",
            Self::SpanIds => "list<struct<trace_id, span_id>>",
            Self::SubtreeUsage => "struct<span_id, input_tokens, output_tokens>",
        }
    }
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in SQL and in the Parquet files.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
    /// Whether it may be NULL, which always means "not known" or "not sent".
    pub nullable: bool,
    /// Whether the Delta log carries its minimum and maximum. Never for columns with people's data, where
    /// they would outlive an erasure.
    pub statistics: bool,
    /// Few distinct values a file: dictionary encoding pays.
    pub dictionary: bool,
    /// Looked up by equality: a bloom filter pays.
    pub bloom: bool,
    /// Digits without a pattern: more effort does not make them smaller.
    pub random: bool,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in SQL, and its folder.
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// Its columns in order. The first of a Delta table is `date`, the partition.
    pub columns: &'static [Column],
    /// The columns each file is sorted by, ascending.
    pub sort: &'static [&'static str],
}

impl Table {
    /// The position of the column `name`.
    ///
    /// # Panics
    /// When there is none: names of columns are constants of the code.
    #[must_use]
    pub fn index(&self, name: &str) -> usize {
        self.columns
            .iter()
            .position(|column| column.name == name)
            .unwrap_or_else(|| panic!("table `{}` has no column `{name}`", self.name))
    }
}

const fn column(name: &'static str, kind: ColumnType, doc: &'static str) -> Column {
    Column { name, kind, nullable: true, statistics: false, dictionary: false, bloom: false, random: false, doc }
}

impl Column {
    const fn required(mut self) -> Self {
        self.nullable = false;
        self
    }
    const fn stats(mut self) -> Self {
        self.statistics = true;
        self
    }
    const fn dict(mut self) -> Self {
        self.dictionary = true;
        self
    }
    const fn bloom(mut self) -> Self {
        self.bloom = true;
        self
    }
    const fn random(mut self) -> Self {
        self.random = true;
        self
    }
}

/// The tables of traffic: what came in, and what is worked out from it. Maintenance tends them.
pub const TABLES: &[&Table] = &[&CONTENTS, &LOGS, &SCORES, &SPANS, &CALLS, &TRACES];

/// The tables that can be asked by their own names, the ones asked most first. Derived tables stand behind views.
pub fn asked_tables() -> impl Iterator<Item = &'static Table> {
    FACT_TABLES.iter().rev().chain(KEPT_TABLES).chain(&[&PRICES]).copied()
}

/// Every table of a lake.
#[must_use]
pub fn every_table() -> Vec<&'static Table> {
    TABLES.iter().chain(KEPT_TABLES).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_partitioned_by_its_first_column_and_sorted_by_columns_it_has() {
        for table in every_table() {
            assert_eq!(table.columns[0].name, "date", "{}", table.name);
            for key in table.sort {
                assert!(table.index(key) > 0, "the partition needs no sorting");
            }
            for (position, column) in table.columns.iter().enumerate() {
                assert_eq!(table.index(column.name), position, "`{}` stands twice", column.name);
                assert!(column.doc.ends_with('.') || column.doc.ends_with('…'), "`{}` lacks a sentence", column.name);
            }
        }
    }
}
