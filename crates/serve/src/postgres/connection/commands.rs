//! Commands that are no queries: transactions, settings, cursors.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use pgwire::messages::startup::ParameterStatus;
use tracewell_query::{QueryError, Rows};
use tracewell_requests::Failure;
use tracewell_requests::postgres::command::{Command, command};
use tracewell_requests::postgres::message::Format;
use tracewell_requests::postgres::settings::Settings;

use super::Connection;
use crate::postgres::client::{Stop, internal};
use crate::postgres::cursor::{Cursor, Delivered};
use crate::postgres::failure::of_query;
use crate::postgres::statement::{Portal, room};
use crate::postgres::types::description;

/// How the rows of a command are sent.
#[derive(Clone, Copy)]
pub(super) enum Reply<'a> {
    /// After a description, and as the cursor was declared.
    Described,
    /// In these formats; the client has asked for a description by itself.
    In(&'a [Format]),
}

impl Connection {
    /// Does what a command asks.
    pub(super) async fn perform(&mut self, command: &Command, reply: Reply<'_>) -> Result<(), Stop> {
        let in_transaction = self.status != TransactionStatus::Idle;
        match command {
            Command::Begin => {
                if in_transaction {
                    self.warn("25001", "there is already a transaction in progress")?;
                } else {
                    self.before = self.settings.clone();
                    self.status = TransactionStatus::Transaction;
                }
                self.complete("BEGIN")?;
            }
            Command::Commit | Command::Rollback => {
                let rolled_back = *command == Command::Rollback || self.status == TransactionStatus::Error;
                if !in_transaction {
                    self.warn("25P01", "there is no transaction in progress")?;
                } else if rolled_back {
                    let before = self.before.clone();
                    self.set(|settings| {
                        *settings = before;
                        Ok(())
                    })?;
                }
                self.set(|settings| {
                    settings.end_transaction();
                    Ok(())
                })?;
                self.status = TransactionStatus::Idle;
                self.portals.retain(|_, portal| portal.hold);
                self.complete(if rolled_back { "ROLLBACK" } else { "COMMIT" })?;
            }
            Command::Savepoint(_) | Command::RollbackTo if !in_transaction => {
                return Err(Failure::new("25P01", "savepoints can only be used in transaction blocks").into());
            }
            Command::Savepoint(tag) => self.complete(tag)?,
            Command::RollbackTo => {
                self.status = TransactionStatus::Transaction;
                self.complete("ROLLBACK")?;
            }
            Command::Set { local: true, .. } if !in_transaction => {
                self.warn("25P01", "SET LOCAL can only be used in transaction blocks")?;
                self.complete("SET")?;
            }
            Command::Set { name, value, local } => {
                self.set(|settings| match value {
                    Some(value) => settings.set(name, value, *local),
                    None => settings.reset(name),
                })?;
                self.complete("SET")?;
            }
            Command::ResetAll => {
                self.set(|settings| {
                    settings.reset_all();
                    Ok(())
                })?;
                self.complete("RESET")?;
            }
            Command::DiscardAll => {
                self.set(|settings| {
                    settings.reset_all();
                    Ok(())
                })?;
                self.portals.clear();
                self.statements.clear();
                self.complete("DISCARD ALL")?;
            }
            Command::Show(name) => {
                let value = self.settings.get(name)?.to_owned();
                self.show(texts(&[name.as_str()]), vec![vec![value]], reply).await?;
            }
            Command::ShowAll => {
                let (names, values) =
                    self.settings.all().map(|(name, value)| (name.to_owned(), value.to_owned())).unzip();
                self.show(texts(&["name", "setting"]), vec![names, values], reply).await?;
            }
            Command::Declare { cursor, binary, hold, query } => {
                let session = self.session();
                self.declare(cursor, *binary, *hold, session.sql(query_of_cursor(query)?)).await?;
            }
            Command::Fetch { cursor, rows, moves } => self.fetch(cursor, *rows, *moves, reply).await?,
            Command::Close(Some(name)) => {
                self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
                self.complete("CLOSE CURSOR")?;
            }
            Command::Close(None) => {
                self.portals.clear();
                self.complete("CLOSE CURSOR ALL")?;
            }
            Command::Deallocate(Some(name)) => {
                self.statement(name)?;
                self.statements.remove(name);
                self.complete("DEALLOCATE")?;
            }
            Command::Deallocate(None) => {
                self.statements.clear();
                self.complete("DEALLOCATE ALL")?;
            }
            Command::Nothing(tag) => self.complete(tag)?,
            Command::Empty => {
                self.client.wire.put(&PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))?;
            }
            Command::Query => {}
        }
        Ok(())
    }

    /// Changes settings, and tells the client of those it wants to know.
    fn set(&mut self, change: impl FnOnce(&mut Settings) -> Result<(), Failure>) -> Result<(), Stop> {
        let before = self.settings.reported();
        change(&mut self.settings)?;
        for (old, (name, value)) in before.into_iter().zip(self.settings.reported()) {
            if old.1 != value {
                let status = ParameterStatus::new(name.to_owned(), value);
                self.client.wire.put(&PgWireBackendMessage::ParameterStatus(status))?;
            }
        }
        Ok(())
    }

    async fn show(&mut self, schema: Schema, columns: Vec<Vec<String>>, reply: Reply<'_>) -> Result<(), Stop> {
        let columns = columns.into_iter().map(|values| Arc::new(StringArray::from(values)) as _).collect();
        let batch = RecordBatch::try_new(Arc::new(schema), columns).map_err(internal)?;
        let formats = self.formats(&batch.schema(), reply, &[])?;
        Cursor::of(batch).deliver(&mut self.client, &formats, usize::MAX).await?;
        self.complete("SHOW")
    }

    /// The formats of rows, which are described first where the client expects it.
    fn formats(&mut self, schema: &Schema, reply: Reply<'_>, declared: &[Format]) -> Result<Vec<Format>, Stop> {
        match reply {
            Reply::In(formats) => Ok(formats.to_vec()),
            Reply::Described => {
                self.client.wire.put(&PgWireBackendMessage::RowDescription(description(schema, declared)))?;
                Ok(declared.to_vec())
            }
        }
    }

    pub(super) async fn declare(
        &mut self,
        name: &str,
        binary: bool,
        hold: bool,
        rows: impl Future<Output = Result<Rows, QueryError>>,
    ) -> Result<(), Stop> {
        if self.status == TransactionStatus::Idle && !hold {
            return Err(Failure::new("25P01", "DECLARE CURSOR can only be used in transaction blocks").into());
        }
        if self.portals.contains_key(name) {
            return Err(Failure::new("42P03", format!("cursor \"{name}\" already exists")).into());
        }
        room(self.portals.len())?;
        let rows = self.client.attend(rows).await?.map_err(|error| of_query(error, "", 0))?;
        let results = if binary { vec![Format::Binary] } else { Vec::new() };
        self.portals.insert(name.to_owned(), Portal::declared(Cursor::new(rows), results, hold));
        self.complete("DECLARE CURSOR")
    }

    async fn fetch(&mut self, name: &str, rows: usize, moves: bool, reply: Reply<'_>) -> Result<(), Stop> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
        let Some(cursor) = &mut portal.cursor else { return Err(no_cursor(name).into()) };
        let delivered = if moves {
            cursor.skip(&mut self.client, rows).await?
        } else {
            let formats = self.formats(&cursor.schema(), reply, &portal.results)?;
            cursor.deliver(&mut self.client, &formats, rows).await?
        };
        self.portals.insert(name.to_owned(), portal);
        let Delivered { rows, .. } = delivered;
        self.complete(&format!("{} {rows}", if moves { "MOVE" } else { "FETCH" }))
    }
}

pub(super) fn query_of_cursor(sql: &str) -> Result<&str, Failure> {
    match command(sql)? {
        Command::Query => Ok(sql),
        _ => Err(Failure::new("42601", "a cursor is declared for a query")),
    }
}

pub(super) fn no_cursor(name: &str) -> Failure {
    Failure::new("34000", format!("cursor \"{name}\" does not exist"))
}

pub(super) fn texts(names: &[&str]) -> Schema {
    Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>())
}
