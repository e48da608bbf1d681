//! One client: its messages, its transaction, its statements and portals.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use pgwire::api::Type;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete, PortalSuspended};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse, ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::ParameterStatus;
use tokio_util::sync::CancellationToken;
use tracewell_query::{Parameter, Prepared, QueryError, Rows, Session};
use tracewell_requests::Failure;
use tracewell_requests::postgres::absent::types_of_asyncpg;
use tracewell_requests::postgres::command::{Command, command, statements};
use tracewell_requests::postgres::message::{Format, Message, Target};
use tracewell_requests::postgres::settings::Settings;
use tracewell_requests::postgres::types::of_parameter;

use super::Shared;
use super::cancel::Registration;
use super::cursor::{Cursor, Delivered};
use super::failure::{error, fatal, of_query, warning};
use super::startup::Started;
use super::statement::{Portal, Statement, bind};
use super::types::{description, of_field};
use super::wire::{Broken, Wire};

/// Prepared statements and portals that one connection may keep.
const MOST_KEPT: usize = 2000;
/// Bytes that the values of its portals may take.
const MOST_BYTES: usize = 64 << 20;

/// A connection that was let in.
pub(super) struct Connection {
    pub(super) wire: Wire,
    /// Stops the work that is being done.
    pub(super) token: CancellationToken,
    registration: Registration,
    shared: Arc<Shared>,
    settings: Settings,
    /// The settings at the start of the transaction.
    before: Settings,
    status: TransactionStatus,
    statements: HashMap<String, Arc<Statement>>,
    portals: HashMap<String, Portal>,
}

/// How the rows of a command are sent.
#[derive(Clone, Copy)]
enum Reply<'a> {
    /// After a description, and as the cursor was declared.
    Described,
    /// In these formats; the client has asked for a description by itself.
    In(&'a [Format]),
}

/// Why a message was not answered to the end.
pub(super) enum Stop {
    /// The client is told.
    Failed(Failure),
    /// There is no client any more.
    Gone(io::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl Connection {
    pub(super) fn new(wire: Wire, started: Started, shared: Arc<Shared>) -> Self {
        let Started { settings, registration } = started;
        Self {
            wire,
            token: registration.begin(),
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
                message = self.wire.message() => message,
                () = stop.cancelled() => {
                    let farewell = Failure::new("57P01", "terminating connection: the server is stopping");
                    self.wire.put(&fatal(&farewell))?;
                    return Ok(self.wire.flush().await?);
                }
            };
            let message = match message {
                Ok(None | Some(Message::Terminate)) => return Ok(()),
                Ok(Some(message)) => message,
                Err(Broken::Malformed(why)) => {
                    self.wire.put(&fatal(&Failure::new("08P01", why.to_string())))?;
                    return Ok(self.wire.flush().await?);
                }
                Err(broken) => return Err(broken),
            };
            self.token = self.registration.begin();
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
                Message::Flush => self.wire.flush().await.map_err(Stop::from),
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
                self.wire.put(&error(&failure))
            }
        }
    }

    async fn ready(&mut self) -> io::Result<()> {
        if self.status == TransactionStatus::Idle {
            self.portals.retain(|_, portal| portal.hold);
        }
        self.wire.put(&PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(self.status)))?;
        self.wire.flush().await
    }

    /// Waits for work to be done, as long as the client is there and wants it.
    pub(super) async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            done = work => Ok(done),
            () = self.token.cancelled() => Err(Failure::cancelled().into()),
            () = self.wire.gone() => Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
        }
    }

    /// Sends what is written if it is much, unless the client wants no more of it.
    pub(super) async fn drain(&mut self) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(Failure::cancelled().into()),
            drained = self.wire.drain() => Ok(drained?),
        }
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
            self.wire.put(&PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))?;
        }
        for (offset, sql) in statements {
            let command = command(sql)?;
            self.allow(&command)?;
            if command == Command::Query {
                let session = self.session();
                let rows = self.attend(session.sql(sql)).await?;
                let rows = rows.map_err(|error| of_query(error, sql, offset))?;
                let mut cursor = Cursor::new(rows);
                self.wire.put(&PgWireBackendMessage::RowDescription(description(&cursor.schema(), &[])))?;
                let delivered = cursor.deliver(self, &[], usize::MAX).await?;
                self.complete(&tag(sql, delivered.rows))?;
            } else {
                self.perform(&command, Reply::Described).await?;
            }
        }
        Ok(())
    }

    async fn extended(&mut self, message: Message) -> Result<(), Stop> {
        match message {
            Message::Parse { statement, sql, types } => {
                if !statement.is_empty() && self.statements.contains_key(&statement) {
                    let message = format!("prepared statement \"{statement}\" already exists");
                    return Err(Failure::new("42P05", message).into());
                }
                room(self.statements.len())?;
                let parsed = self.parse(&sql, types).await?;
                self.statements.insert(statement, Arc::new(parsed));
                self.wire.put(&PgWireBackendMessage::ParseComplete(ParseComplete::new()))?;
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
                self.wire.put(&PgWireBackendMessage::BindComplete(BindComplete::new()))?;
            }
            Message::Describe(Target::Statement(name)) => {
                let statement = Arc::clone(self.statement(&name)?);
                let types = statement.parameter_types();
                self.wire.put(&PgWireBackendMessage::ParameterDescription(ParameterDescription::new(types)))?;
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
                self.wire.put(&PgWireBackendMessage::CloseComplete(CloseComplete::new()))?;
            }
            _ => {}
        }
        Ok(self.wire.drain().await?)
    }

    fn statement(&self, name: &str) -> Result<&Arc<Statement>, Failure> {
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
        let prepared = self.attend(session.prepare(query, &hints)).await?;
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
        self.wire.put(&match schema {
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
            let started = self.attend(session.run(prepared, portal.values.clone())).await?;
            let started = started.map_err(|error| of_query(error, prepared.sql(), 0))?;
            if !same_types(&started.schema(), &prepared.schema()) {
                // A client that reads binary would take one for the other.
                return Err(Failure::new("0A000", "cached plan must not change result type").into());
            }
            portal.cursor = Some(Cursor::new(started));
        }
        if let Some(cursor) = &mut portal.cursor {
            let limit = if rows == 0 { usize::MAX } else { rows };
            let delivered = cursor.deliver(self, &portal.results, limit).await?;
            if delivered.ended {
                self.complete(&tag(prepared.sql(), delivered.rows))?;
            } else {
                self.wire.put(&PgWireBackendMessage::PortalSuspended(PortalSuspended::new()))?;
            }
        }
        self.portals.insert(name.to_owned(), portal);
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

    /// Does what a command asks.
    async fn perform(&mut self, command: &Command, reply: Reply<'_>) -> Result<(), Stop> {
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
                self.wire.put(&PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))?;
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
                self.wire.put(&PgWireBackendMessage::ParameterStatus(status))?;
            }
        }
        Ok(())
    }

    async fn show(&mut self, schema: Schema, columns: Vec<Vec<String>>, reply: Reply<'_>) -> Result<(), Stop> {
        let columns = columns.into_iter().map(|values| Arc::new(StringArray::from(values)) as _).collect();
        let batch = RecordBatch::try_new(Arc::new(schema), columns).map_err(internal)?;
        let formats = self.formats(&batch.schema(), reply, &[])?;
        Cursor::of(batch).deliver(self, &formats, usize::MAX).await?;
        self.complete("SHOW")
    }

    /// The formats of rows, which are described first where the client expects it.
    fn formats(&mut self, schema: &Schema, reply: Reply<'_>, declared: &[Format]) -> Result<Vec<Format>, Stop> {
        match reply {
            Reply::In(formats) => Ok(formats.to_vec()),
            Reply::Described => {
                self.wire.put(&PgWireBackendMessage::RowDescription(description(schema, declared)))?;
                Ok(declared.to_vec())
            }
        }
    }

    async fn declare(
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
        let rows = self.attend(rows).await?.map_err(|error| of_query(error, "", 0))?;
        let results = if binary { vec![Format::Binary] } else { Vec::new() };
        self.portals.insert(name.to_owned(), Portal::declared(Cursor::new(rows), results, hold));
        self.complete("DECLARE CURSOR")
    }

    async fn fetch(&mut self, name: &str, rows: usize, moves: bool, reply: Reply<'_>) -> Result<(), Stop> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
        let Some(cursor) = &mut portal.cursor else { return Err(no_cursor(name).into()) };
        let delivered = if moves {
            cursor.skip(self, rows).await?
        } else {
            let formats = self.formats(&cursor.schema(), reply, &portal.results)?;
            cursor.deliver(self, &formats, rows).await?
        };
        self.portals.insert(name.to_owned(), portal);
        let Delivered { rows, .. } = delivered;
        self.complete(&format!("{} {rows}", if moves { "MOVE" } else { "FETCH" }))
    }

    fn complete(&mut self, tag: &str) -> Result<(), Stop> {
        Ok(self.wire.put(&PgWireBackendMessage::CommandComplete(CommandComplete::new(tag.to_owned())))?)
    }

    fn warn(&mut self, code: &'static str, message: &str) -> Result<(), Stop> {
        Ok(self.wire.put(&warning(&Failure::new(code, message)))?)
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

pub(super) fn internal(error: impl std::fmt::Display) -> Stop {
    Failure::new("XX000", error.to_string()).into()
}

pub(super) fn of_rows(error: QueryError) -> Stop {
    of_query(error, "", 0).into()
}

/// Whether rows are sent as they were described.
fn same_types(schema: &Schema, described: &Schema) -> bool {
    let types = |schema: &Schema| schema.fields().iter().map(|field| of_field(field)).collect::<Vec<_>>();
    types(schema) == types(described)
}

fn query_of_cursor(sql: &str) -> Result<&str, Failure> {
    match command(sql)? {
        Command::Query => Ok(sql),
        _ => Err(Failure::new("42601", "a cursor is declared for a query")),
    }
}

fn no_cursor(name: &str) -> Failure {
    Failure::new("34000", format!("cursor \"{name}\" does not exist"))
}

fn room(kept: usize) -> Result<(), Failure> {
    if kept < MOST_KEPT {
        return Ok(());
    }
    Err(Failure::new(
        "53000",
        format!("a connection keeps at most {MOST_KEPT} prepared statements and as many cursors"),
    )
    .hint("Close those that are no longer needed."))
}

fn texts(names: &[&str]) -> Schema {
    Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>())
}

/// What a client is told when a query is done.
fn tag(sql: &str, rows: usize) -> String {
    let explains = sql.trim_start().get(..7).is_some_and(|word| word.eq_ignore_ascii_case("explain"));
    if explains { "EXPLAIN".into() } else { format!("SELECT {rows}") }
}
