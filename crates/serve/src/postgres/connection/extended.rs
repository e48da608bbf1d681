//! The messages of the extended protocol: statements that are prepared, and portals.

use std::io;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use pgwire::api::Type;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete, PortalSuspended};
use tracewell_query::{Parameter, Prepared};
use tracewell_requests::Failure;
use tracewell_requests::postgres::absent::types_of_asyncpg;
use tracewell_requests::postgres::command::{Command, command, statements};
use tracewell_requests::postgres::message::{Format, Message, Target};
use tracewell_requests::postgres::types::of_parameter;

use super::commands::{Reply, no_cursor, query_of_cursor, texts};
use super::{Connection, tag};
use crate::postgres::client::Stop;
use crate::postgres::cursor::Cursor;
use crate::postgres::failure::of_query;
use crate::postgres::statement::{Portal, Statement, bind, room};
use crate::postgres::types::{description, of_field};

/// Bytes that the values of its portals may take.
const MOST_BYTES: usize = 64 << 20;

impl Connection {
    pub(super) async fn extended(&mut self, message: Message) -> Result<(), Stop> {
        match message {
            Message::Parse { statement, sql, types } => {
                if !statement.is_empty() && self.statements.contains_key(&statement) {
                    let message = format!("prepared statement \"{statement}\" already exists");
                    return Err(Failure::new("42P05", message).into());
                }
                room(self.statements.len())?;
                let parsed = self.parse(&sql, types).await?;
                self.statements.insert(statement, Arc::new(parsed));
                self.client.wire.put(&PgWireBackendMessage::ParseComplete(ParseComplete::new()))?;
            }
            Message::Bind { portal, statement, formats, values, results } => {
                if !portal.is_empty() && self.portals.contains_key(&portal) {
                    return Err(Failure::new("42P03", format!("cursor \"{portal}\" already exists")).into());
                }
                room(self.portals.len())?;
                let given: usize = values.iter().flatten().map(|value| value.len()).sum();
                if given + self.portals.values().map(Portal::bytes).sum::<usize>() > MOST_BYTES {
                    let message = format!("the values of open portals take more than {} MiB", MOST_BYTES >> 20);
                    return Err(Failure::new("53000", message).hint("Close those that are no longer needed.").into());
                }
                let statement = Arc::clone(self.statement(&statement)?);
                self.portals.insert(portal, bind(statement, &formats, &values, results)?);
                self.client.wire.put(&PgWireBackendMessage::BindComplete(BindComplete::new()))?;
            }
            Message::Describe(Target::Statement(name)) => {
                let statement = Arc::clone(self.statement(&name)?);
                let types = statement.parameter_types();
                self.client.wire.put(&PgWireBackendMessage::ParameterDescription(ParameterDescription::new(types)))?;
                let schema = self.schema(&statement)?;
                self.describe(schema.as_deref(), &[])?;
            }
            Message::Describe(Target::Portal(name)) => {
                let portal = self.portals.get(&name).ok_or_else(|| no_cursor(&name))?;
                let (results, declared) = (portal.results.clone(), portal.schema());
                let schema = match declared {
                    Some(schema) => Some(schema),
                    None => self.schema(&Arc::clone(&portal.statement))?,
                };
                self.describe(schema.as_deref(), &results)?;
            }
            Message::Execute { portal, rows } => self.execute(&portal, rows).await?,
            Message::Close(target) => {
                match target {
                    Target::Statement(name) => drop(self.statements.remove(&name)),
                    Target::Portal(name) => drop(self.portals.remove(&name)),
                }
                self.client.wire.put(&PgWireBackendMessage::CloseComplete(CloseComplete::new()))?;
            }
            _ => {}
        }
        Ok(self.client.wire.drain().await?)
    }

    pub(super) fn statement(&self, name: &str) -> Result<&Arc<Statement>, Failure> {
        let missing = || Failure::new("26000", format!("prepared statement \"{name}\" does not exist"));
        self.statements.get(name).ok_or_else(missing)
    }

    async fn parse(&mut self, text: &str, types: Vec<u32>) -> Result<Statement, Stop> {
        let statements = statements(text);
        let (offset, sql) = match statements.as_slice() {
            [] => return Ok(Statement::without_rows(Command::Empty)),
            [only] => *only,
            _ => {
                return Err(Failure::new("42601", "cannot insert multiple commands into a prepared statement").into());
            }
        };
        let command = command(sql)?;
        self.allow(&command)?;
        let (query, offset) = match &command {
            Command::Query => (sql, offset),
            Command::Declare { query, .. } => (query_of_cursor(query)?, offset + sql.len() - query.len()),
            _ => return Ok(Statement::without_rows(command)),
        };
        let types = if types_of_asyncpg(query).is_some() { vec![Type::OID_ARRAY.oid()] } else { types };
        let declared = types.iter().enumerate().filter_map(|(position, oid)| {
            of_parameter(*oid).map(|data_type| Parameter { name: (position + 1).to_string(), data_type })
        });
        let hints: Vec<Parameter> = declared.collect();
        let session = self.session();
        let prepared = self.client.attend(session.prepare(query, &hints)).await?;
        let prepared = prepared.map_err(|error| of_query(error, query, offset))?;
        Ok(Statement { command, prepared: Some(prepared), types })
    }

    /// The schema of the rows that a statement gives, if it gives any.
    fn schema(&self, statement: &Statement) -> Result<Option<SchemaRef>, Failure> {
        Ok(match &statement.command {
            Command::Query => statement.query().map(Prepared::schema),
            Command::Show(name) => Some(Arc::new(texts(&[name.as_str()]))),
            Command::ShowAll => Some(Arc::new(texts(&["name", "setting"]))),
            Command::Fetch { cursor, moves: false, .. } => {
                Some(self.portals.get(cursor).and_then(Portal::schema).ok_or_else(|| no_cursor(cursor))?)
            }
            _ => None,
        })
    }

    fn describe(&mut self, schema: Option<&Schema>, results: &[Format]) -> io::Result<()> {
        self.client.wire.put(&match schema {
            Some(schema) => PgWireBackendMessage::RowDescription(description(schema, results)),
            None => PgWireBackendMessage::NoData(NoData::new()),
        })
    }

    async fn execute(&mut self, name: &str, rows: usize) -> Result<(), Stop> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
        let statement = Arc::clone(&portal.statement);
        self.allow(&statement.command)?;
        let Some(prepared) = statement.query() else {
            match (&statement.command, &statement.prepared) {
                (Command::Declare { cursor, binary, hold, .. }, Some(prepared)) => {
                    let session = self.session();
                    let rows = session.run(prepared, portal.values.clone());
                    self.declare(cursor, *binary, *hold, rows).await?;
                }
                (command, _) => self.perform(command, Reply::In(&portal.results)).await?,
            }
            self.portals.insert(name.to_owned(), portal);
            return Ok(());
        };
        if portal.cursor.is_none() {
            let session = self.session();
            let started = self.client.attend(session.run(prepared, portal.values.clone())).await?;
            let started = started.map_err(|error| of_query(error, prepared.sql(), 0))?;
            if !same_types(&started.schema(), &prepared.schema()) {
                // A client that reads binary would take one for the other.
                return Err(Failure::new("0A000", "cached plan must not change result type").into());
            }
            portal.cursor = Some(Cursor::new(started));
        }
        if let Some(cursor) = &mut portal.cursor {
            let limit = if rows == 0 { usize::MAX } else { rows };
            let delivered = cursor.deliver(&mut self.client, &portal.results, limit).await?;
            if delivered.ended {
                self.complete(&tag(prepared.sql(), delivered.rows))?;
            } else {
                self.client.wire.put(&PgWireBackendMessage::PortalSuspended(PortalSuspended::new()))?;
            }
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }
}

/// Whether rows are sent as they were described.
fn same_types(schema: &Schema, described: &Schema) -> bool {
    let types = |schema: &Schema| schema.fields().iter().map(|field| of_field(field)).collect::<Vec<_>>();
    types(schema) == types(described)
}
