//! One client: its messages, its transaction, its statements and portals.

mod commands;
mod extended;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse, ReadyForQuery, TransactionStatus};
use tokio_util::sync::CancellationToken;
use tracewell_query::Session;
use tracewell_requests::Failure;
use tracewell_requests::postgres::command::{Command, command, statements};
use tracewell_requests::postgres::message::Message;
use tracewell_requests::postgres::settings::Settings;

use self::commands::Reply;
use super::Shared;
use super::cancel::Registration;
use super::client::{Client, Stop};
use super::cursor::Cursor;
use super::failure::{error, fatal, of_query, warning};
use super::startup::Started;
use super::statement::{Portal, Statement};
use super::types::description;
use super::wire::{Broken, Wire};

/// A connection that was let in.
pub(super) struct Connection {
    client: Client,
    registration: Registration,
    shared: Arc<Shared>,
    settings: Settings,
    /// The settings at the start of the transaction.
    before: Settings,
    status: TransactionStatus,
    statements: HashMap<String, Arc<Statement>>,
    portals: HashMap<String, Portal>,
}

impl Connection {
    pub(super) fn new(wire: Wire, started: Started, shared: Arc<Shared>) -> Self {
        let Started { settings, registration } = started;
        Self {
            client: Client { wire, token: registration.begin() },
            registration,
            shared,
            before: settings.clone(),
            settings,
            status: TransactionStatus::Idle,
            statements: HashMap::new(),
            portals: HashMap::new(),
        }
    }

    /// Answers until the client leaves, or `stop`.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<(), Broken> {
        self.ready().await?;
        // After an error, what belongs to the same batch is left out.
        let mut skipping = false;
        loop {
            let message = tokio::select! {
                message = self.client.wire.message() => message,
                () = stop.cancelled() => {
                    let farewell = Failure::new("57P01", "terminating connection: the server is stopping");
                    self.client.wire.put(&fatal(&farewell))?;
                    return Ok(self.client.wire.flush().await?);
                }
            };
            let message = match message {
                Ok(None | Some(Message::Terminate)) => return Ok(()),
                Ok(Some(message)) => message,
                Err(Broken::Malformed(why)) => {
                    self.client.wire.put(&fatal(&Failure::new("08P01", why.to_string())))?;
                    return Ok(self.client.wire.flush().await?);
                }
                Err(broken) => return Err(broken),
            };
            self.client.token = self.registration.begin();
            let answered = match message {
                Message::Query(sql) => {
                    skipping = false;
                    let answered = self.simple(&sql).await;
                    self.settle(answered)?;
                    self.ready().await?;
                    continue;
                }
                Message::Sync => {
                    skipping = false;
                    self.ready().await?;
                    continue;
                }
                Message::FunctionCall => {
                    let failure = Failure::new("0A000", "calls of functions by their number are not supported");
                    self.settle(Err(failure.into()))?;
                    self.ready().await?;
                    continue;
                }
                Message::Flush => self.client.wire.flush().await.map_err(Stop::from),
                Message::Copy | Message::Terminate => Ok(()),
                Message::Password(_) => Err(Failure::new("08P01", "no password was asked for").into()),
                _ if skipping => Ok(()),
                message => self.extended(message).await,
            };
            skipping |= answered.is_err();
            self.settle(answered)?;
        }
    }

    /// Tells the client of a failure.
    fn settle(&mut self, answered: Result<(), Stop>) -> io::Result<()> {
        match answered {
            Ok(()) => Ok(()),
            Err(Stop::Gone(error)) => Err(error),
            Err(Stop::Failed(failure)) => {
                if self.status == TransactionStatus::Transaction {
                    self.status = TransactionStatus::Error;
                }
                self.client.wire.put(&error(&failure))
            }
        }
    }

    async fn ready(&mut self) -> io::Result<()> {
        if self.status == TransactionStatus::Idle {
            self.portals.retain(|_, portal| portal.hold);
        }
        self.client.wire.put(&PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(self.status)))?;
        self.client.wire.flush().await
    }

    fn session(&self) -> Session {
        let dialect = self.shared.catalog.session(&self.settings);
        self.shared.engine.session(of_queries(&self.settings)).with_dialect(dialect)
    }

    async fn simple(&mut self, text: &str) -> Result<(), Stop> {
        self.statements.remove("");
        self.portals.remove("");
        let statements = statements(text);
        if statements.is_empty() {
            self.client.wire.put(&PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))?;
        }
        for (offset, sql) in statements {
            let command = command(sql)?;
            self.allow(&command)?;
            if command == Command::Query {
                let session = self.session();
                let rows = self.client.attend(session.sql(sql)).await?;
                let rows = rows.map_err(|error| of_query(error, sql, offset))?;
                let mut cursor = Cursor::new(rows);
                self.client.wire.put(&PgWireBackendMessage::RowDescription(description(&cursor.schema(), &[])))?;
                let delivered = cursor.deliver(&mut self.client, &[], usize::MAX).await?;
                self.complete(&tag(sql, delivered.rows))?;
            } else {
                self.perform(&command, Reply::Described).await?;
            }
        }
        Ok(())
    }

    /// After an error, only the end of the transaction is listened to.
    fn allow(&self, command: &Command) -> Result<(), Failure> {
        let ends = matches!(command, Command::Commit | Command::Rollback | Command::RollbackTo | Command::Empty);
        if self.status == TransactionStatus::Error && !ends {
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Failure::new("25P02", message));
        }
        Ok(())
    }

    fn complete(&mut self, tag: &str) -> Result<(), Stop> {
        Ok(self.client.wire.put(&PgWireBackendMessage::CommandComplete(CommandComplete::new(tag.to_owned())))?)
    }

    fn warn(&mut self, code: &'static str, message: &str) -> Result<(), Stop> {
        Ok(self.client.wire.put(&warning(&Failure::new(code, message)))?)
    }
}

/// What the engine takes from the settings of a connection.
fn of_queries(settings: &Settings) -> tracewell_query::Settings {
    tracewell_query::Settings {
        time_zone: settings.get("timezone").unwrap_or("UTC").to_owned(),
        timeout: settings.statement_timeout(),
        prices: settings.get("tracewell.prices").ok().filter(|prices| !prices.is_empty()).map(str::to_owned),
    }
}

/// What a client is told when a query is done.
fn tag(sql: &str, rows: usize) -> String {
    let explains = sql.trim_start().get(..7).is_some_and(|word| word.eq_ignore_ascii_case("explain"));
    if explains { "EXPLAIN".into() } else { format!("SELECT {rows}") }
}
