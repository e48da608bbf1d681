//! The parameters of a statement: what they are called, and of which types they are.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Visit, Visitor, visit_expressions, visit_expressions_mut};

use super::{Parameter, plan};
use crate::error::{QueryError, SqlErrorKind};
use crate::exact;
use crate::zone::with_seconds;

/// What stands behind any number of `EXPLAIN`.
pub(super) fn explained(mut statement: &mut Statement) -> Option<&mut ast::Statement> {
    while let Statement::Explain(explain) = statement {
        statement = explain.statement.as_mut();
    }
    match statement {
        Statement::Statement(statement) => Some(statement.as_mut()),
        _ => None,
    }
}

/// Turns `x = ANY($1)` into `x = $1`, from which the type of the items can be told; the parameters that are lists.
pub(super) fn items_of_lists(statement: &mut Statement) -> HashSet<String> {
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
pub(super) fn counts_of_rows(statement: &mut Statement) -> HashSet<String> {
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
pub(super) fn casts(statement: &mut Statement) -> HashMap<String, ast::DataType> {
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
pub(super) async fn type_of(context: &SessionContext, name: &ast::DataType) -> Option<DataType> {
    let state = context.state();
    let sql = format!("SELECT CAST(NULL AS {name})");
    let statement = state.sql_to_statement(&sql, &state.config_options().sql_parser.dialect).ok()?;
    let plan = plan(context, statement, &[]).await.ok()?;
    Some(plan.schema().field(0).data_type().clone())
}

/// Gives parameters with names a number; the names in order.
pub(super) fn number_parameters(statement: &mut Statement) -> Result<Vec<String>, QueryError> {
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

/// The plan with values in place of parameters.
pub(super) fn bind(
    plan: LogicalPlan,
    parameters: &[Parameter],
    values: Vec<ScalarValue>,
) -> Result<LogicalPlan, QueryError> {
    if parameters.is_empty() {
        return Ok(plan);
    }
    let types = plan.get_parameter_types()?;
    let convert = |(position, value): (usize, ScalarValue)| {
        let wanted = types.get(&format!("${}", position + 1)).cloned().flatten();
        match wanted {
            Some(wanted) if wanted != value.data_type() => {
                let refused = |why: &str| {
                    let name = &parameters[position].name;
                    let message = format!("parameter ${name} cannot be read as {wanted}: {why}");
                    QueryError::wrong(SqlErrorKind::InvalidValue, message)
                };
                let value = match (&wanted, value) {
                    (DataType::Timestamp(..), ScalarValue::Utf8(Some(text))) => {
                        ScalarValue::Utf8(Some(with_seconds(&text).unwrap_or(text)))
                    }
                    (_, value) => value,
                };
                let read = value.cast_to(&wanted).map_err(|error| refused(&error.strip_backtrace()))?;
                // A cast cuts off what stands behind the point.
                let given = value.data_type();
                let has_point = given.is_floating() || given.is_decimal();
                if wanted.is_integer() && has_point && read.cast_to(&given).ok().is_none_or(|again| again != value) {
                    return Err(refused(&format!("{value} is no whole number")));
                }
                Ok(read)
            }
            _ => Ok(value),
        }
    };
    let values = values.into_iter().enumerate().map(convert).collect::<Result<Vec<_>, QueryError>>()?;
    let values = values.into_iter().map(|value| ScalarAndMetadata::new(value, None)).collect();
    Ok(plan.replace_params_with_values(&ParamValues::List(values))?)
}

/// How SQL calls a type; text for those it has no name for, whose values are converted.
pub(super) fn sql_type(data_type: &DataType) -> ast::DataType {
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
