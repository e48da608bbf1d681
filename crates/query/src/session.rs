//! What one client asks, one query after the other: its settings, its parameters, its forms of SQL.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::{ParamValues, Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Visit, Visitor, visit_expressions, visit_expressions_mut};

use crate::described;
use crate::engine::Engine;
use crate::error::{QueryError, SqlErrorKind};
use crate::exact;
use crate::length;
use crate::running::Rows;
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
        let names = number_parameters(&mut statement)?;
        if let Some(statement) = explained(&mut statement) {
            exact::rewrite(statement);
            zone::rewrite(statement);
        }
        Ok((statement, names))
    }
}

/// What stands behind any number of `EXPLAIN`.
fn explained(mut statement: &mut Statement) -> Option<&mut ast::Statement> {
    while let Statement::Explain(explain) = statement {
        statement = explain.statement.as_mut();
    }
    match statement {
        Statement::Statement(statement) => Some(statement.as_mut()),
        _ => None,
    }
}

/// Turns `x = ANY($1)` into `x = $1`, from which the type of the items can be told; the parameters that are lists.
fn items_of_lists(statement: &mut Statement) -> HashSet<String> {
    let mut lists = HashSet::new();
    let Some(statement) = explained(statement) else { return lists };
    let _ = visit_expressions_mut(statement, |expression: &mut ast::Expr| {
        if let ast::Expr::AnyOp { left, compare_op, right, .. } | ast::Expr::AllOp { left, compare_op, right } =
            expression
            && let ast::Expr::Value(value) = right.as_ref()
            && let ast::Value::Placeholder(placeholder) = &value.value
        {
            lists.insert(placeholder.clone());
            let (left, op, right) = (left.clone(), compare_op.clone(), right.clone());
            *expression = ast::Expr::BinaryOp { left, op, right };
        }
        ControlFlow::<()>::Continue(())
    });
    lists
}

/// The parameters behind `LIMIT` and `OFFSET`.
fn counts_of_rows(statement: &mut Statement) -> HashSet<String> {
    struct Counts(HashSet<String>);

    impl Visitor for Counts {
        type Break = ();

        fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
            if let Some(limit) = &query.limit_clause {
                let _ = visit_expressions(limit, |expression: &ast::Expr| {
                    if let ast::Expr::Value(value) = expression
                        && let ast::Value::Placeholder(placeholder) = &value.value
                    {
                        self.0.insert(placeholder.clone());
                    }
                    ControlFlow::<()>::Continue(())
                });
            }
            ControlFlow::Continue(())
        }
    }

    let mut counts = Counts(HashSet::new());
    if let Some(statement) = explained(statement) {
        let _ = statement.visit(&mut counts);
    }
    counts.0
}

/// What parameters are cast to.
fn casts(statement: &mut Statement) -> HashMap<String, ast::DataType> {
    let mut casts = HashMap::new();
    let Some(statement) = explained(statement) else { return casts };
    let _ = visit_expressions(statement, |expression: &ast::Expr| {
        let cast = match expression {
            ast::Expr::Cast { expr, data_type, .. } => Some((expr.as_ref(), data_type.clone())),
            other => {
                exact::takes_numeric(other).map(|value| (value, ast::DataType::Numeric(ast::ExactNumberInfo::None)))
            }
        };
        if let Some((ast::Expr::Value(value), data_type)) = cast
            && let ast::Value::Placeholder(placeholder) = &value.value
        {
            casts.insert(placeholder.clone(), data_type);
        }
        ControlFlow::<()>::Continue(())
    });
    casts
}

/// The type that SQL calls so.
async fn type_of(context: &SessionContext, name: &ast::DataType) -> Option<DataType> {
    let state = context.state();
    let sql = format!("SELECT CAST(NULL AS {name})");
    let statement = state.sql_to_statement(&sql, &state.config_options().sql_parser.dialect).ok()?;
    let plan = plan(context, statement, &[]).await.ok()?;
    Some(plan.schema().field(0).data_type().clone())
}

/// Gives parameters with names a number; the names in order.
fn number_parameters(statement: &mut Statement) -> Result<Vec<String>, QueryError> {
    let Some(statement) = explained(statement) else { return Ok(Vec::new()) };
    let mut names: Vec<String> = Vec::new();
    let mut last = 0;
    let _ = visit_expressions_mut(statement, |expression: &mut ast::Expr| {
        if let ast::Expr::Value(value) = expression
            && let ast::Value::Placeholder(placeholder) = &mut value.value
        {
            let name = placeholder.trim_start_matches('$');
            match name.parse::<u16>() {
                Ok(number) => last = last.max(number),
                Err(_) => {
                    let position = names.iter().position(|known| known == name).unwrap_or_else(|| {
                        names.push(name.to_owned());
                        names.len() - 1
                    });
                    *placeholder = format!("${}", position + 1);
                }
            }
        }
        ControlFlow::<()>::Continue(())
    });
    match (names.is_empty(), last) {
        (true, last) => Ok((1..=last).map(|number| number.to_string()).collect()),
        (false, 0) => Ok(names),
        (false, _) => {
            let message = "parameters are either all numbered, such as $1, or all named, such as $name";
            Err(QueryError::wrong(SqlErrorKind::Parameter, message))
        }
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

/// The plan with values in place of parameters.
fn bind(plan: LogicalPlan, parameters: &[Parameter], values: Vec<ScalarValue>) -> Result<LogicalPlan, QueryError> {
    if parameters.is_empty() {
        return Ok(plan);
    }
    let types = plan.get_parameter_types()?;
    let convert = |(position, value): (usize, ScalarValue)| {
        let wanted = types.get(&format!("${}", position + 1)).cloned().flatten();
        match wanted {
            Some(wanted) if wanted != value.data_type() => value.cast_to(&wanted).map_err(|error| {
                let name = &parameters[position].name;
                let message = format!("parameter ${name} cannot be read as {wanted}: {}", error.strip_backtrace());
                QueryError::wrong(SqlErrorKind::InvalidValue, message)
            }),
            _ => Ok(value),
        }
    };
    let values = values.into_iter().enumerate().map(convert).collect::<Result<Vec<_>, QueryError>>()?;
    let values = values.into_iter().map(|value| ScalarAndMetadata::new(value, None)).collect();
    Ok(plan.replace_params_with_values(&ParamValues::List(values))?)
}

/// How SQL calls a type; text for those it has no name for, whose values are converted.
fn sql_type(data_type: &DataType) -> ast::DataType {
    use ast::{ExactNumberInfo, TimezoneInfo};
    match data_type {
        DataType::Boolean => ast::DataType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => ast::DataType::SmallInt(None),
        DataType::Int32 | DataType::UInt16 => ast::DataType::Int(None),
        DataType::Int64 | DataType::UInt32 => ast::DataType::BigInt(None),
        DataType::UInt64 => ast::DataType::BigIntUnsigned(None),
        DataType::Float16 | DataType::Float32 => ast::DataType::Real,
        DataType::Float64 => ast::DataType::DoublePrecision,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            ast::DataType::Numeric(ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)))
        }
        DataType::Date32 | DataType::Date64 => ast::DataType::Date,
        DataType::Time32(_) | DataType::Time64(_) => ast::DataType::Time(None, TimezoneInfo::None),
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => Some(0),
                TimeUnit::Millisecond => Some(3),
                TimeUnit::Microsecond => Some(6),
                TimeUnit::Nanosecond => Some(9),
            };
            let zone = if zone.is_some() { TimezoneInfo::Tz } else { TimezoneInfo::None };
            ast::DataType::Timestamp(digits, zone)
        }
        DataType::Interval(_) | DataType::Duration(_) => ast::DataType::Interval { fields: None, precision: None },
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            ast::DataType::Bytea
        }
        DataType::List(item) | DataType::LargeList(item) => {
            ast::DataType::Array(ast::ArrayElemTypeDef::SquareBracket(Box::new(sql_type(item.data_type())), None))
        }
        _ => ast::DataType::Text,
    }
}

/// An error that belongs to no place in the plan.
impl From<datafusion::arrow::error::ArrowError> for QueryError {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    fn statement(sql: &str) -> Statement {
        let mut statements = DFParser::parse_sql_with_dialect(sql, &PostgreSqlDialect {}).expect("it is SQL");
        statements.pop_front().expect("it is a statement")
    }

    #[test]
    fn parameters_are_counted_by_number_and_numbered_by_name() {
        let mut named = statement("EXPLAIN SELECT $b WHERE x > $a AND y = $b");
        assert_eq!(number_parameters(&mut named).expect("they are all named"), ["b", "a"]);
        assert_eq!(named.to_string(), "EXPLAIN SELECT $1 WHERE x > $2 AND y = $1");
        assert_eq!(number_parameters(&mut statement("SELECT $2")).expect("they are all numbered"), ["1", "2"]);
        assert!(number_parameters(&mut statement("SELECT $1, $a")).is_err());
    }

    #[test]
    fn limits_are_numbers() {
        let mut question = statement("SELECT a FROM (SELECT a FROM t LIMIT $3) WHERE a = $1 LIMIT $2 OFFSET $4");
        let expected = ["$2", "$3", "$4"].map(str::to_owned);
        assert_eq!(counts_of_rows(&mut question), HashSet::from(expected));
    }

    #[test]
    fn lists_are_told_from_what_they_are_compared_with() {
        let mut question = statement("SELECT 1 FROM t WHERE a = ANY($1) AND b <> ALL($3) AND c = $2");
        assert_eq!(items_of_lists(&mut question), HashSet::from(["$1".to_owned(), "$3".to_owned()]));
        assert_eq!(question.to_string(), "SELECT 1 FROM t WHERE a = $1 AND b <> $3 AND c = $2");
    }
}
