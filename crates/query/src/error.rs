//! Why a query gave no answer: what is wrong, where in its text, and what would be right.

use std::time::Duration;

use datafusion::common::{Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use tracewell_lake::LakeError;
use tracewell_model::schema::asked_tables;

use crate::views::VIEWS;

mod runtime;

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The SQL is wrong, or asks for what is not allowed.
    #[error("{0}")]
    Sql(SqlError),
    /// It ran too long.
    #[error("the query ran longer than {}s and was stopped; narrow it, for instance by `date`, or raise query.timeout", .0.as_secs_f64())]
    Timeout(Duration),
    /// It needed more memory than one query may take, or than all may.
    #[error("{0}; narrow the query, or raise query.memory and query.memory_per_query")]
    Memory(String),
    /// Its answer is larger than one may be.
    #[error("{0}; ask for less with a filter, an aggregate or LIMIT, or raise the limit")]
    TooLarge(String),
    /// The place of the tables, or a disk, cannot be read or written.
    #[error("{0}; the query is not to blame: ask again, or look at the store and the server's log")]
    Storage(String),
    /// Something else failed while it ran.
    #[error("{0}")]
    Failed(String),
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The kind of mistake.
    pub kind: SqlErrorKind,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// Where in the text.
    pub at: Option<Location>,
}

/// The kinds of mistakes that a client may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlErrorKind {
    /// It is not SQL.
    Syntax,
    /// There is no such table or view.
    UnknownTable,
    /// There is no such column.
    UnknownColumn,
    /// A column's name stands for several.
    AmbiguousColumn,
    /// There is no such function, or not for these arguments.
    UnknownFunction,
    /// It would change something.
    ReadOnly,
    /// It is SQL that cannot be answered here.
    Unsupported,
    /// A parameter is missing or of another type.
    Parameter,
    /// A value cannot be read as the type that is asked for.
    InvalidValue,
    /// A value does not fit its type.
    OutOfRange,
    /// A division by zero.
    DivisionByZero,
    /// A text is no time, or names one that there was not, or twice.
    InvalidTime,
    /// A regular expression that is none.
    InvalidRegex,
    /// A function cannot take this value.
    InvalidArgument,
    /// A subquery that stands for one value has several rows.
    SeveralRows,
    /// There is no such setting.
    UnknownSetting,
    /// The text is too long, or nested too deeply.
    TooComplex,
    /// Anything else.
    Other,
}

/// A place in the text of a query: line and column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

impl Location {
    /// Which character of `sql` it is, from 1.
    #[must_use]
    pub fn character(self, sql: &str) -> Option<usize> {
        let (line, column) = (usize::try_from(self.line).ok()?, usize::try_from(self.column).ok()?);
        let before: usize = sql.split_inclusive('\n').take(line.checked_sub(1)?).map(|line| line.chars().count()).sum();
        let position = before + column;
        (position <= sql.chars().count() + 1).then_some(position)
    }
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        if let Some(at) = self.at {
            write!(f, " at line {}, column {}", at.line, at.column)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl SqlError {
    /// A mistake without a place or a hint.
    #[must_use]
    pub fn new(kind: SqlErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, at: None }
    }
}

impl QueryError {
    /// A mistake without a place or a hint.
    pub(crate) fn wrong(kind: SqlErrorKind, message: impl Into<String>) -> Self {
        Self::Sql(SqlError::new(kind, message))
    }
}

impl From<LakeError> for QueryError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Store(_) | LakeError::Delta { .. } | LakeError::Disk { .. } => Self::Storage(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        if runtime::has_spilled_too_much(&error) {
            let message = "queries have spilled as much to disk as they may, the limit query.spill_size";
            return Self::TooLarge(message.into());
        }
        if runtime::is_of_storage(&error) {
            return Self::Storage(plain(&error));
        }
        let (kind, message) = match error.find_root() {
            DataFusionError::ResourcesExhausted(message) => return Self::Memory(message.clone()),
            DataFusionError::SQL(parser, _) => {
                let message = parser.to_string();
                let message = message.trim_start_matches("sql parser error: ");
                let (message, at) = split_location(message);
                return Self::Sql(SqlError { kind: SqlErrorKind::Syntax, message, hint: None, at });
            }
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound { .. } => (SqlErrorKind::UnknownColumn, plain(&error)),
                SchemaError::AmbiguousReference { .. } => (SqlErrorKind::AmbiguousColumn, plain(&error)),
                _ => (SqlErrorKind::Other, plain(&error)),
            },
            DataFusionError::Plan(message) => (kind_of_plan_error(message), plain(&error)),
            DataFusionError::NotImplemented(_) => (SqlErrorKind::Unsupported, plain(&error)),
            DataFusionError::Diagnostic(..) | DataFusionError::Configuration(_) => (SqlErrorKind::Other, plain(&error)),
            DataFusionError::ArrowError(arrow, _) => match runtime::kind_of(arrow) {
                Some(kind) => (kind, plain(&error)),
                None => return Self::Failed(plain(&error)),
            },
            DataFusionError::External(inner) if runtime::is_regex(&inner.to_string()) => {
                (SqlErrorKind::InvalidRegex, plain(&error))
            }
            DataFusionError::Execution(message) if runtime::is_internal(message) => return Self::Failed(plain(&error)),
            DataFusionError::Execution(message) => (runtime::kind_of_message(message), plain(&error)),
            _ => return Self::Failed(plain(&error)),
        };
        if kind == SqlErrorKind::UnknownTable {
            return Self::Sql(SqlError { at: place(&error), ..unknown_table(&message) });
        }
        let hint = match kind {
            SqlErrorKind::ReadOnly => Some("SQL changes nothing here".to_owned()),
            // The message names the nearest column already.
            SqlErrorKind::UnknownColumn if message.contains("Did you mean") => None,
            SqlErrorKind::UnknownColumn => {
                Some("`DESCRIBE` tells the columns of a table; a text stands in single quotes".to_owned())
            }
            _ => runtime::hint(&message).or_else(|| error.diagnostic().and_then(hint)),
        };
        Self::Sql(SqlError { kind, message, hint, at: place(&error) })
    }
}

fn place(error: &DataFusionError) -> Option<Location> {
    let start = error.diagnostic()?.span?.start;
    Some(Location { line: start.line, column: start.column })
}

/// What is said of a table that is not there: its name, and the nearest there is.
fn unknown_table(message: &str) -> SqlError {
    let name = message.trim_start_matches("table '").trim_end_matches("' not found");
    let name = name.strip_prefix("tracewell.public.").unwrap_or(name);
    let known = asked_tables().map(|table| table.name).chain(VIEWS.iter().map(|view| view.name));
    let nearest = known.map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    let nearest = nearest.filter(|(distance, _)| *distance <= 1 + name.len() / 3);
    SqlError {
        hint: Some(match nearest {
            Some((_, known)) => format!("did you mean `{known}`?"),
            None => "SHOW TABLES lists the tables and views there are".into(),
        }),
        ..SqlError::new(SqlErrorKind::UnknownTable, format!("there is no table or view `{name}`"))
    }
}

fn kind_of_plan_error(message: &str) -> SqlErrorKind {
    const NOT_ALLOWED: [&str; 3] = ["DDL not supported", "DML not supported", "Statement not supported"];
    if NOT_ALLOWED.iter().any(|start| message.starts_with(start)) {
        SqlErrorKind::ReadOnly
    } else if message.starts_with("Invalid function")
        || message.starts_with("table function ")
        || message.contains("function signature")
        || message.contains(NO_MATCH)
    {
        SqlErrorKind::UnknownFunction
    } else if message.starts_with("table ") && message.ends_with("not found") {
        SqlErrorKind::UnknownTable
    } else if message.to_ascii_lowercase().contains("placeholder") {
        SqlErrorKind::Parameter
    } else {
        SqlErrorKind::Other
    }
}

/// The nearest come first.
const MOST_HINTS: usize = 3;

fn hint(diagnostic: &Diagnostic) -> Option<String> {
    let notes = diagnostic.notes.iter().map(|note| &note.message);
    let all = notes.chain(diagnostic.helps.iter().map(|help| &help.message)).map(String::as_str);
    let all: Vec<&str> = all.take(MOST_HINTS).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// The text without the names of DataFusion's layers.
fn plain(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    let mut text = text.as_str();
    while let Some(rest) = LAYERS.iter().find_map(|layer| text.strip_prefix(layer)) {
        text = rest;
    }
    // DataFusion takes it for a mistake of its own.
    if text.starts_with("Internal error: Function ")
        && let Some(at) = text.find(NO_MATCH)
    {
        text = &text[at..];
    }
    match text {
        "The context currently only supports a single SQL statement" => {
            "there are several statements; send one at a time"
        }
        "No SQL statements were provided in the query string" => "there is no statement",
        // All columns there are would follow.
        text => text.split("\nValid fields are").next().unwrap_or(text).trim_end(),
    }
    .to_owned()
}

/// What is said of a function that does not take such values.
const NO_MATCH: &str = "No function matches the given name and argument types";

const LAYERS: [&str; 13] = [
    "Error during planning: ",
    "Schema error: ",
    "Arrow error: ",
    "Optimizer rule 'simplify_expressions' failed\ncaused by\n",
    "Optimizer rule 'eliminate_limit' failed\ncaused by\n",
    "type_coercion\ncaused by\n",
    "Cast error: ",
    "Parser error: ",
    "This feature is not implemented: ",
    "Execution error: ",
    "Compute error: ",
    "Invalid argument error: ",
    "Arithmetic overflow: ",
];

/// Takes ` at Line: 1, Column: 8` from the end of a message of the parser.
fn split_location(message: &str) -> (String, Option<Location>) {
    let found = message.rsplit_once(" at Line: ").and_then(|(text, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((text.to_owned(), Location { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    match found {
        Some((text, at)) => (text, Some(at)),
        None => (message.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_character_of_the_text() {
        let sql = "SELECT é,\n  x";
        let at = |line, column| Location { line, column }.character(sql);
        assert_eq!(at(1, 8), Some(8));
        assert_eq!(at(2, 3), Some(13));
        assert_eq!(at(0, 1), None);
        assert_eq!(at(3, 9), None);
    }

    #[test]
    fn a_table_that_is_not_there_is_told_with_the_nearest() {
        let error = unknown_table("table 'tracewell.public.span' not found");
        assert_eq!(error.to_string(), "there is no table or view `span`; did you mean `spans`?");
        assert!(unknown_table("table 'tracewell.public.orders_of_2024' not found").to_string().contains("SHOW TABLES"));
    }

    #[test]
    fn the_place_is_taken_from_what_the_parser_says() {
        let (message, at) = split_location("Expected: an expression, found: FROM at Line: 1, Column: 8");
        assert_eq!(message, "Expected: an expression, found: FROM");
        assert_eq!(at, Some(Location { line: 1, column: 8 }));
        assert_eq!(split_location("no place"), ("no place".to_owned(), None));
    }
}
