//! What one client asks, one query after the other: its settings, its parameters, its forms of SQL.

mod arrays;
mod calls;
mod copies;
mod forms;
mod gathered;
mod headers;
mod intervals;
mod json;
mod lateral;
mod lists;
mod names;
mod parameters;
mod passed_over;
mod patterns;
mod places;
mod series;
mod whole_rows;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use self::parameters::{bind, casts, counts_of_rows, explained, items_of_lists, number_parameters, sql_type, type_of};
use crate::engine::Engine;
use crate::error::{QueryError, SqlErrorKind};
use crate::exact;
use crate::limits::length;
use crate::running::Rows;
use crate::tables::described;
use crate::zone;

/// What a client has set for its queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of a time zone, such as `Europe/Berlin`, or an offset, such as `+02:00`. Times without a zone are of it.
    pub time_zone: String,
    /// A query that runs longer is stopped; never longer than [`crate::Limits::timeout`].
    pub timeout: Option<Duration>,
    /// A version of the prices, or of a catalogue among them: calls cost what they did by those; else by the prices in
    /// force.
    pub prices: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { time_zone: "UTC".into(), timeout: None, prices: None }
    }
}

/// What a protocol adds: names, functions and forms of SQL that its clients take for granted.
pub trait Dialect: std::fmt::Debug + Send + Sync {
    /// Reads a statement as one that can be planned.
    ///
    /// # Errors
    /// When it is no statement.
    fn parse(&self, sql: &str) -> Result<Statement, QueryError>;

    /// Adds names and functions to the context of one query.
    ///
    /// # Errors
    /// When they cannot be added.
    fn extend(&self, context: &SessionContext) -> Result<()>;
}

/// Queries of one client.
#[derive(Clone, Debug)]
pub struct Session {
    engine: Arc<Engine>,
    /// Used by the queries that begin from now on.
    pub settings: Settings,
    pub(crate) dialect: Option<Arc<dyn Dialect>>,
}

/// A parameter of a prepared query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// `1` for `$1`, `name` for `$name`.
    pub name: String,
    /// What its value is turned into.
    pub data_type: DataType,
}

/// A query that was read and checked, to be run any number of times; each run sees the rows of its moment.
#[derive(Clone, Debug)]
pub struct Prepared {
    sql: Arc<str>,
    parameters: Arc<[Parameter]>,
    schema: SchemaRef,
}

impl Prepared {
    /// Its text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Its parameters: by number, or by name in order of appearance.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The schema of its rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Session {
    pub(crate) fn new(engine: Arc<Engine>, settings: Settings) -> Self {
        Self { engine, settings, dialect: None }
    }

    /// The same, with what a protocol adds.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Arc<dyn Dialect>) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Starts a query without parameters. It stops when its [`Rows`] are dropped.
    ///
    /// # Errors
    /// When the SQL is wrong or not allowed. What fails while it runs comes with the rows.
    pub async fn sql(&self, sql: &str) -> Result<Rows, QueryError> {
        self.start(sql.into(), Arc::new([]), Vec::new()).await
    }

    /// Reads and checks a query. `hints` are the types of parameters by name, where the client knows them; the others
    /// are told by where they stand, or are text.
    ///
    /// # Errors
    /// When the SQL is wrong or not allowed.
    pub async fn prepare(&self, sql: &str, hints: &[Parameter]) -> Result<Prepared, QueryError> {
        let (session, sql, hints) = (self.clone(), Arc::<str>::from(sql), hints.to_vec());
        let timeout = self.timeout();
        self.engine.work(timeout, async move { session.read(sql, &hints).await }).await
    }

    /// Starts a prepared query with the values of its parameters, in their order. A value of another type is
    /// converted. The query stops when its [`Rows`] are dropped.
    ///
    /// # Errors
    /// When a value is missing or cannot be converted, or when the query cannot be planned any more.
    pub async fn run(&self, prepared: &Prepared, values: Vec<ScalarValue>) -> Result<Rows, QueryError> {
        if values.len() != prepared.parameters.len() {
            let (given, wanted) = (values.len(), prepared.parameters.len());
            let message = format!("the query has {wanted} parameters, but {given} values are given");
            return Err(QueryError::wrong(SqlErrorKind::Parameter, message));
        }
        let read = |(parameter, value): (&Parameter, ScalarValue)| match (&parameter.data_type, &value) {
            (wanted, ScalarValue::Utf8(Some(text))) if wanted.is_decimal() => {
                tracewell_requests::decimal(text).unwrap_or(value)
            }
            _ => value,
        };
        let values: Vec<ScalarValue> = prepared.parameters.iter().zip(values).map(read).collect();
        // A decimal keeps its digits behind the point.
        let as_given = |(parameter, value): (&Parameter, &ScalarValue)| match value.data_type() {
            given if given.is_decimal() && parameter.data_type.is_decimal() => {
                Parameter { name: parameter.name.clone(), data_type: given }
            }
            _ => parameter.clone(),
        };
        let parameters = prepared.parameters.iter().zip(&values).map(as_given).collect();
        self.start(Arc::clone(&prepared.sql), parameters, values).await
    }

    /// How long a query may run.
    fn timeout(&self) -> Duration {
        let most = self.engine.limits().timeout;
        self.settings.timeout.map_or(most, |timeout| timeout.min(most))
    }

    async fn start(
        &self,
        sql: Arc<str>,
        parameters: Arc<[Parameter]>,
        values: Vec<ScalarValue>,
    ) -> Result<Rows, QueryError> {
        let session = self.clone();
        let plan = async move {
            let context = session.context(&sql).await?;
            let (statement, _) = session.statement(&context, &sql)?;
            let plan = plan(&context, statement, &parameters).await?;
            Ok((context, bind(plan, &parameters, values)?))
        };
        self.engine.stream(self.timeout(), plan).await
    }

    async fn read(&self, sql: Arc<str>, hints: &[Parameter]) -> Result<Prepared, QueryError> {
        let context = self.context(&sql).await?;
        let (statement, names) = self.statement(&context, &sql)?;
        let hint = |name: &String| hints.iter().find(|hint| hint.name == *name).map(|hint| hint.data_type.clone());
        let mut types: Vec<Option<DataType>> = names.iter().map(hint).collect();
        if types.iter().any(Option::is_none) {
            let mut question = statement.clone();
            let (lists, counts) = (items_of_lists(&mut question), counts_of_rows(&mut question));
            let casts = casts(&mut question);
            // Where they stand tells, unless the query cannot be planned without knowing them.
            let known = match plan(&context, question, &[]).await {
                Ok(plan) => plan.get_parameter_types()?,
                Err(_) => HashMap::new(),
            };
            for (position, data_type) in types.iter_mut().enumerate().filter(|(_, known)| known.is_none()) {
                let placeholder = format!("${}", position + 1);
                let found = known.get(&placeholder).cloned().flatten();
                *data_type = if lists.contains(&placeholder) {
                    Some(DataType::new_list(found.unwrap_or(DataType::Utf8), true))
                } else if counts.contains(&placeholder) {
                    Some(DataType::Int64)
                } else if let (None, Some(to)) = (&found, casts.get(&placeholder)) {
                    type_of(&context, to).await
                } else {
                    found
                };
            }
        }
        let parameters: Arc<[Parameter]> = names
            .into_iter()
            .zip(types)
            .map(|(name, known)| Parameter { name, data_type: known.unwrap_or(DataType::Utf8) })
            .collect();
        let plan = plan(&context, statement, &parameters).await?;
        let nulls = parameters.iter().map(|parameter| ScalarValue::try_from(&parameter.data_type));
        let plan = bind(plan, &parameters, nulls.collect::<Result<_>>()?)?;
        // Types are settled by the analyzer.
        let state = context.state();
        let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?;
        let schema = Arc::clone(plan.schema().inner());
        Ok(Prepared { sql, parameters, schema })
    }

    async fn context(&self, sql: &str) -> Result<SessionContext, QueryError> {
        length::check(sql).map_err(|message| QueryError::wrong(SqlErrorKind::TooComplex, message))?;
        self.engine.context(sql, &self.settings, self.dialect.as_deref()).await
    }

    /// The statement with parameters `$1`, `$2`, …, and what they are called.
    fn statement(&self, context: &SessionContext, sql: &str) -> Result<(Statement, Vec<String>), QueryError> {
        let mut statement = match &self.dialect {
            Some(dialect) => dialect.parse(sql)?,
            None => {
                let state = context.state();
                state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)?
            }
        };
        if let Statement::Statement(described) = &statement
            && let Some(sql) = described::describe(described)
        {
            return self.statement(context, &sql);
        }
        let too_complex = |message: String| QueryError::wrong(SqlErrorKind::TooComplex, message);
        if let Some(statement) = explained(&mut statement) {
            length::check_levels(statement).map_err(too_complex)?;
        }
        let names = number_parameters(&mut statement)?;
        if let Some(statement) = explained(&mut statement) {
            passed_over::refuse(statement)?;
            headers::rewrite(statement);
            forms::rewrite(statement, &self.settings.time_zone).map_err(too_complex)?;
            if self.dialect.is_none() {
                forms::texts(statement);
            }
            exact::rewrite(statement);
            zone::rewrite(statement);
        }
        Ok((statement, names))
    }
}

/// A plan that changes nothing.
async fn plan(
    context: &SessionContext,
    statement: Statement,
    parameters: &[Parameter],
) -> Result<LogicalPlan, QueryError> {
    let typed = match statement {
        Statement::Statement(statement) if !parameters.is_empty() => {
            // The only way to tell the planner of the types.
            let data_types = parameters.iter().map(|parameter| sql_type(&parameter.data_type)).collect();
            Statement::Statement(Box::new(ast::Statement::Prepare { name: "typed".into(), data_types, statement }))
        }
        statement => statement,
    };
    let wrapped = !parameters.is_empty();
    let plan = match context.state().statement_to_plan(typed).await? {
        LogicalPlan::Statement(PlanStatement::Prepare(prepared)) if wrapped => Arc::unwrap_or_clone(prepared.input),
        plan => plan,
    };
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false).verify_plan(&plan)?;
    Ok(exact::unions(plan)?)
}

/// An error that belongs to no place in the plan.
impl From<datafusion::arrow::error::ArrowError> for QueryError {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}
