//! Arrow Flight SQL: what ADBC, JDBC and ODBC drivers of Arrow speak. Rows leave as the columns they are.
//!
//! A statement is answered in two steps: `GetFlightInfo` plans it and gives a ticket that holds its text, `DoGet` runs
//! it. Nothing is kept in between but prepared statements. See <https://arrow.apache.org/docs/format/FlightSql.html>.

use std::pin::Pin;
use std::sync::Arc;

use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery, CommandStatementUpdate,
    DoPutPreparedStatementResult, ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket};
use futures::Stream;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status, Streaming};
use tracewell_query::{Engine, QueryError, Session, Settings, known_zone};

use self::access::Access;
use self::metadata::Metadata;
use self::prepared::Kept;
use self::reply::{info, ipc, one, read_only, status, stream};
use crate::sql::TIME_ZONE;

mod access;
mod metadata;
mod prepared;
mod reply;

/// Answers Flight SQL over an engine.
#[derive(Clone)]
pub struct Flight {
    engine: Arc<Engine>,
    metadata: Arc<Metadata>,
    kept: Arc<Kept>,
    access: Arc<Access>,
}

impl Flight {
    /// Answers over `engine` whoever knows `password`, or everybody.
    ///
    /// # Errors
    /// When the tables cannot be described, or there are no random numbers.
    pub async fn new(engine: Arc<Engine>, password: Option<String>) -> Result<Self, FlightStartError> {
        let metadata = Arc::new(Metadata::new(engine.relations().await?)?);
        let access = Arc::new(Access::new(password)?);
        Ok(Self { engine, metadata, kept: Arc::default(), access })
    }

    /// The service, for a gRPC server. Whoever may not ask is refused before any method is called.
    #[must_use]
    pub fn service(self) -> InterceptedService<FlightServiceServer<Self>, impl Interceptor + Clone> {
        let access = Arc::clone(&self.access);
        let check = move |request: Request<()>| access.check(request.metadata()).map(|()| request);
        FlightServiceServer::with_interceptor(self, check)
    }

    /// The session of a call, in the time zone that it names.
    fn session(&self, called: &MetadataMap) -> Result<Session, Status> {
        let mut settings = Settings::default();
        if let Some(zone) = called.get(TIME_ZONE.as_str()) {
            let zone = zone.to_str().map_err(|_| Status::invalid_argument("the time zone is not text"))?;
            known_zone(zone).map_err(Status::invalid_argument)?.clone_into(&mut settings.time_zone);
        }
        Ok(self.engine.session(settings))
    }
}

/// Why Flight SQL cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum FlightStartError {
    /// The tables cannot be planned.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Their description cannot be built.
    #[error(transparent)]
    Flight(#[from] FlightError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

#[tonic::async_trait]
impl FlightSqlService for Flight {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        self.access.token()
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let session = self.session(request.metadata())?;
        let prepared = session.prepare(&query.query, &[]).await.map_err(|error| status(&error))?;
        if !prepared.parameters().is_empty() {
            return Err(Status::invalid_argument("the query has parameters: prepare it, and bind their values"));
        }
        let ticket = TicketStatementQuery { statement_handle: query.query.into() };
        info(&prepared.schema(), ticket.as_any(), request.into_inner())
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let sql = str::from_utf8(&ticket.statement_handle).map_err(|_| Status::invalid_argument("a foreign ticket"))?;
        let rows = self.session(request.metadata())?.sql(sql).await.map_err(|error| status(&error))?;
        Ok(stream(rows.schema(), rows))
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let session = self.session(request.metadata())?;
        let prepared = session.prepare(&query.query, &[]).await.map_err(|error| status(&error))?;
        let dataset_schema = ipc(&prepared.schema())?;
        let parameter_schema = ipc(&prepared::parameter_schema(&prepared))?;
        let prepared_statement_handle = self.kept.keep(prepared)?;
        Ok(ActionCreatePreparedStatementResult { prepared_statement_handle, dataset_schema, parameter_schema })
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        _: Request<Action>,
    ) -> Result<(), Status> {
        self.kept.forget(&query.prepared_statement_handle);
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        // Nothing is read for a statement that is not there.
        self.kept.get(&query.prepared_statement_handle)?;
        let row = tracewell_requests::flight::row(request.into_inner()).await?;
        self.kept.bind(&query.prepared_statement_handle, &row)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(query.prepared_statement_handle) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let schema = self.kept.get(&query.prepared_statement_handle)?.0.schema();
        info(&schema, query.as_any(), request.into_inner())
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let (prepared, values) = self.kept.get(&query.prepared_statement_handle)?;
        let rows = self.session(request.metadata())?.run(&prepared, values).await.map_err(|error| status(&error))?;
        Ok(stream(prepared.schema(), rows))
    }

    async fn do_put_statement_update(
        &self,
        _: CommandStatementUpdate,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only())
    }

    async fn do_put_statement_ingest(
        &self,
        _: CommandStatementIngest,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only())
    }

    async fn do_put_prepared_statement_update(
        &self,
        _: CommandPreparedStatementUpdate,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only())
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.into_builder().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(self.metadata.catalogs(query)?))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.clone().into_builder().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(self.metadata.schemas(query)?))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.clone().into_builder().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(self.metadata.tables(query)?))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&metadata::table_types()?.schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_table_types(
        &self,
        _: CommandGetTableTypes,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(metadata::table_types()?))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&self.metadata.sql_info(query.clone())?.schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(self.metadata.sql_info(query)?))
    }

    async fn get_flight_info_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&metadata::no_primary_keys().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_primary_keys(
        &self,
        _: CommandGetPrimaryKeys,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(metadata::no_primary_keys()))
    }

    async fn get_flight_info_exported_keys(
        &self,
        query: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&metadata::no_foreign_keys().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_exported_keys(
        &self,
        _: CommandGetExportedKeys,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(metadata::no_foreign_keys()))
    }

    async fn get_flight_info_imported_keys(
        &self,
        query: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&metadata::no_foreign_keys().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_imported_keys(
        &self,
        _: CommandGetImportedKeys,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(metadata::no_foreign_keys()))
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&metadata::no_foreign_keys().schema(), query.as_any(), request.into_inner())
    }

    async fn do_get_cross_reference(
        &self,
        _: CommandGetCrossReference,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        Ok(one(metadata::no_foreign_keys()))
    }

    // What the server can do is fixed, see `Metadata`.
    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
