//! What clients of PostgreSQL ask about the database: `pg_catalog`, `information_schema`, and the functions around them.
//!
//! Tables and views of ours are in both, with what their columns mean. What only a PostgreSQL has (its own types,
//! operators, access methods) comes from `datafusion-pg-catalog`, as do the simpler translations of SQL.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;
use datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables, setup_pg_catalog};
use tracewell_query::{Dialect, QueryError, Relation};
use tracewell_requests::postgres::absent::types_of_asyncpg;
use tracewell_requests::postgres::settings::Settings;

mod builder;
mod functions;
mod names;
mod rewrite;
mod tables;

/// The name of the one database.
pub(super) const DATABASE: &str = "tracewell";

/// What is the same for all connections.
#[derive(Debug)]
pub(super) struct Catalog {
    schemas: Vec<(&'static str, Arc<MemorySchemaProvider>)>,
    functions: Vec<Arc<ScalarUDF>>,
}

impl Catalog {
    /// The catalogue of these tables and views.
    pub(super) async fn new(relations: &[Relation]) -> Result<Self> {
        let names = Arc::new(names::Names::new(relations));
        let pg_catalog = Arc::new(MemorySchemaProvider::new());
        let scratch = SessionContext::new();
        let standard: Vec<String> = scratch.state().scalar_functions().keys().cloned().collect();
        setup_pg_catalog(&scratch, "datafusion", EmptyContextProvider).map_err(|error| *error)?;
        let fixed = Arc::new(PgCatalogStaticTables::try_new()?);
        let list = Arc::clone(scratch.state().catalog_list());
        let of_postgresql = PgCatalogSchemaProvider::try_new(list, Arc::clone(&fixed), EmptyContextProvider)?;
        for name in of_postgresql.table_names() {
            if let Some(table) = of_postgresql.table(&name).await? {
                pg_catalog.register_table(name, table)?;
            }
        }
        for (name, table) in tables::pg_catalog(&names)? {
            pg_catalog.deregister_table(name)?;
            pg_catalog.register_table(name.to_owned(), table)?;
        }
        let information_schema = Arc::new(MemorySchemaProvider::new());
        for (name, table) in tables::information_schema(&names)? {
            information_schema.register_table(name.to_owned(), table)?;
        }
        let state = scratch.state();
        let theirs = state.scalar_functions().iter().filter(|(name, _)| !standard.contains(name));
        let mut functions: Vec<Arc<ScalarUDF>> = theirs.map(|(_, function)| Arc::clone(function)).collect();
        functions.extend(functions::all(&names, &fixed)?.into_iter().map(Arc::new));
        Ok(Self { schemas: vec![("pg_catalog", pg_catalog), ("information_schema", information_schema)], functions })
    }

    /// What a connection with these settings sees.
    pub(super) fn session(self: &Arc<Self>, settings: &Settings) -> Arc<dyn Dialect> {
        let user = settings.get("session_authorization").unwrap_or_default().to_owned();
        let settings: Vec<(String, String)> =
            settings.all().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Arc::new(View { catalog: Arc::clone(self), functions: functions::of_session(&user, settings) })
    }
}

/// The catalogue as one connection sees it.
#[derive(Debug)]
struct View {
    catalog: Arc<Catalog>,
    functions: Vec<ScalarUDF>,
}

impl Dialect for View {
    fn parse(&self, sql: &str) -> Result<Statement, QueryError> {
        let sql = types_of_asyncpg(sql).unwrap_or(sql);
        let mut statements = DFParser::parse_sql_with_dialect(sql, &PostgreSqlDialect {})?;
        match (statements.pop_front(), statements.is_empty()) {
            (Some(mut statement), true) => {
                rewrite::rewrite(&mut statement);
                Ok(statement)
            }
            _ => Err(DataFusionError::Plan("one statement is expected".into()).into()),
        }
    }

    fn extend(&self, context: &SessionContext) -> Result<()> {
        let state = context.state_ref();
        let mut changed =
            SessionStateBuilder::new_from_existing(state.read().clone()).with_type_planner(Arc::new(Types)).build();
        // Ours is registered as a schema like any other.
        changed.config_mut().options_mut().catalog.information_schema = false;
        *state.write() = changed;
        if let Some(database) = context.catalog(DATABASE) {
            for (name, schema) in &self.catalog.schemas {
                database.register_schema(name, Arc::clone(schema) as _)?;
            }
        }
        for function in &self.catalog.functions {
            context.register_udf(function.as_ref().clone());
        }
        for function in &self.functions {
            context.register_udf(function.clone());
        }
        Ok(())
    }
}

/// Types that PostgreSQL has and DataFusion does not know by name.
#[derive(Debug)]
struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        let text = match sql_type {
            ast::DataType::JSON | ast::DataType::JSONB | ast::DataType::Uuid => true,
            ast::DataType::CharacterVarying(_) | ast::DataType::Character(_) | ast::DataType::Varchar(_) => true,
            ast::DataType::Custom(name, _) => {
                ["name", "unknown", "citext", "bpchar"].iter().any(|known| name.to_string().eq_ignore_ascii_case(known))
            }
            _ => false,
        };
        if text {
            return Ok(Some(Arc::new(Field::new("", DataType::Utf8, true))));
        }
        PgOidTypePlanner.plan_type_field(sql_type)
    }
}
