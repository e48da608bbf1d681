//! What a connection keeps by name: prepared statements, and portals, which are statements with values.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use tracewell_query::Prepared;
use tracewell_requests::Failure;
use tracewell_requests::postgres::command::Command;
use tracewell_requests::postgres::message::Format;
use tracewell_requests::postgres::parameters;
use tracewell_requests::postgres::types::{format_of, of_arrow};

use super::cursor::Cursor;

/// Prepared statements and portals that one connection may keep.
const MOST_KEPT: usize = 2000;

/// A prepared statement.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) command: Command,
    /// The query that it is or that it declares a cursor for.
    pub(super) prepared: Option<Prepared>,
    /// The types that the client declared for parameters; 0 where it did not.
    pub(super) types: Vec<u32>,
}

impl Statement {
    pub(super) fn without_rows(command: Command) -> Self {
        Self { command, prepared: None, types: Vec::new() }
    }

    /// The query whose rows it gives.
    pub(super) fn query(&self) -> Option<&Prepared> {
        self.prepared.as_ref().filter(|_| self.command == Command::Query)
    }

    fn declared(&self, position: usize) -> u32 {
        self.types.get(position).copied().unwrap_or(0)
    }

    /// The type of each parameter.
    pub(super) fn parameter_types(&self) -> Vec<u32> {
        let parameters = self.prepared.iter().flat_map(|prepared| prepared.parameters());
        let types = parameters.enumerate().map(|(position, parameter)| match self.declared(position) {
            0 => of_arrow(&parameter.data_type).oid(),
            declared => declared,
        });
        types.collect()
    }
}

/// A statement with values, and what of its rows is still to come.
pub(super) struct Portal {
    pub(super) statement: Arc<Statement>,
    pub(super) values: Vec<ScalarValue>,
    pub(super) results: Vec<Format>,
    pub(super) cursor: Option<Cursor>,
    /// Whether it outlives the transaction.
    pub(super) hold: bool,
}

impl Portal {
    /// A cursor of SQL.
    pub(super) fn declared(cursor: Cursor, results: Vec<Format>, hold: bool) -> Self {
        let statement = Arc::new(Statement::without_rows(Command::Query));
        Self { statement, values: Vec::new(), results, cursor: Some(cursor), hold }
    }

    /// About how much memory its values take.
    pub(super) fn bytes(&self) -> usize {
        self.values.iter().map(ScalarValue::size).sum()
    }

    /// The schema of its rows, if it has any.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        let prepared = self.statement.query().map(Prepared::schema);
        prepared.or_else(|| self.cursor.as_ref().map(Cursor::schema))
    }
}

/// A portal from a statement and its values.
pub(super) fn bind(
    statement: Arc<Statement>,
    formats: &[Format],
    values: &[Option<Bytes>],
    results: Vec<Format>,
) -> Result<Portal, Failure> {
    let parameters = statement.prepared.as_ref().map_or(&[][..], |prepared| prepared.parameters());
    if values.len() != parameters.len() {
        let (given, wanted) = (values.len(), parameters.len());
        let message = format!("bind message supplies {given} parameters, but prepared statement requires {wanted}");
        return Err(Failure::new("08P01", message));
    }
    let read = |(position, (value, parameter)): (usize, (&Option<Bytes>, &tracewell_query::Parameter))| {
        let declared = statement.declared(position);
        parameters::read(value.as_deref(), declared, &parameter.data_type, format_of(formats, position))
    };
    let values = values.iter().zip(parameters).enumerate().map(read).collect::<Result<_, _>>()?;
    Ok(Portal { values, statement, results, cursor: None, hold: false })
}

/// Whether there is room for one more beside those that are kept.
pub(super) fn room(kept: usize) -> Result<(), Failure> {
    if kept < MOST_KEPT {
        return Ok(());
    }
    Err(Failure::new(
        "53000",
        format!("a connection keeps at most {MOST_KEPT} prepared statements and as many cursors"),
    )
    .hint("Close those that are no longer needed."))
}
