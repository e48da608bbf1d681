//! Times in the time zone of a session, and in one that a query names.
//!
//! The tables hold times in UTC, and a time without a zone that is compared with a column is of the column's zone. So
//! a session in another zone gets columns of that zone: literals, `date_trunc`, `date_bin`, `extract` and what is shown
//! then agree.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast};
use datafusion::prelude::{SessionContext, ident};
use datafusion::sql::sqlparser::ast::{self, visit_expressions_mut};

/// The function that `x AT TIME ZONE 'zone'` is read as.
pub(crate) const AT_TIME_ZONE: &str = "tracewell_at_time_zone";

/// Whether a zone is the one of the tables.
pub(crate) fn is_utc(zone: &str) -> bool {
    ["utc", "etc/utc", "gmt", "z", "+00:00"].iter().any(|name| name.eq_ignore_ascii_case(zone))
}

/// A time with its seconds, where it is written without them, as in `2026-11-20 10:30+01`.
pub(crate) fn with_seconds(text: &str) -> Option<String> {
    const SHAPE: &str = "0000-00-00 00:00";
    let (minutes, rest) = text.split_at_checked(SHAPE.len())?;
    let fits = |(found, shape): (u8, u8)| match shape {
        b'0' => found.is_ascii_digit(),
        b' ' => matches!(found, b' ' | b'T' | b't'),
        sign => found == sign,
    };
    let is_time = minutes.bytes().zip(SHAPE.bytes()).all(fits) && !rest.starts_with([':', '.']);
    is_time.then(|| format!("{minutes}:00{rest}"))
}

/// Gives the tables and views of `context` times in `zone`.
pub(crate) async fn show_times_in(context: &SessionContext, zone: &str) -> Result<()> {
    let schema = context.catalog("tracewell").and_then(|catalog| catalog.schema("public"));
    let schema = schema.ok_or_else(|| internal_datafusion_err!("a context has its default schema"))?;
    for name in schema.table_names() {
        let table = context.table_provider(name.as_str()).await?;
        let columns = table.schema();
        let is_time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(_, Some(_)));
        if !columns.fields().iter().any(|field| is_time(field.data_type())) {
            continue;
        }
        let shown = columns.fields().iter().map(|field| -> Expr {
            let column = ident(field.name().as_str());
            match field.data_type() {
                DataType::Timestamp(unit, Some(_)) => {
                    cast(column, DataType::Timestamp(*unit, Some(zone.into()))).alias(field.name())
                }
                _ => column,
            }
        });
        let plan = LogicalPlanBuilder::scan(name.as_str(), provider_as_source(table), None)?.project(shown)?.build()?;
        context.deregister_table(name.as_str())?;
        context.register_table(name.as_str(), Arc::new(ViewTable::new(plan, None)))?;
    }
    Ok(())
}

/// Reads `x AT TIME ZONE 'zone'` as PostgreSQL does (to DataFusion it is a cast), and a zone as the last argument of
/// `date_trunc` and `date_bin`.
pub(crate) fn rewrite(statement: &mut ast::Statement) {
    // What stands within comes first, so a cast that is made here stays one.
    let _ = visit_expressions_mut(statement, |expression: &mut ast::Expr| {
        match expression {
            ast::Expr::AtTimeZone { timestamp, time_zone } if literal(time_zone).is_some() => {
                let (time, zone) = (timestamp.as_ref().clone(), time_zone.as_ref().clone());
                *expression = ast::Expr::Function(call(AT_TIME_ZONE, [time, zone]));
            }
            ast::Expr::Function(function) => in_zone(function),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
}

/// `date_trunc(unit, time, 'zone')` and `date_bin(stride, time, 'zone')` as those of two arguments, over times of the
/// zone.
fn in_zone(function: &mut ast::Function) {
    let name = function.name.to_string();
    if !["date_trunc", "date_bin"].iter().any(|known| known.eq_ignore_ascii_case(&name)) {
        return;
    }
    let ast::FunctionArguments::List(list) = &mut function.args else { return };
    let [_, time, zone] = &mut list.args[..] else { return };
    let (Some(time), Some(zone)) = (value(time), value(zone)) else { return };
    if literal(zone).is_none_or(|zone| zone.parse::<Tz>().is_err()) {
        return;
    }
    let (timestamp, time_zone) = (Box::new(time.clone()), Box::new(zone.clone()));
    *time = ast::Expr::AtTimeZone { timestamp, time_zone };
    list.args.pop();
}

/// The value of an argument without a name.
pub(crate) fn value(argument: &mut ast::FunctionArg) -> Option<&mut ast::Expr> {
    match argument {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(value)) => Some(value),
        _ => None,
    }
}

/// The text that stands there in quotes.
pub(crate) fn literal(expression: &ast::Expr) -> Option<&str> {
    match expression {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// A call by name.
pub(crate) fn call<const N: usize>(name: &str, arguments: [ast::Expr; N]) -> ast::Function {
    let args = arguments.map(|value| ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(value)));
    ast::Function {
        name: ast::ObjectName::from(vec![ast::Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args: ast::FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_seconds_is_one_of_a_whole_minute() {
        for (written, expected) in [
            ("2026-11-20 10:30", Some("2026-11-20 10:30:00")),
            ("2026-11-20T10:30Z", Some("2026-11-20T10:30:00Z")),
            ("2026-11-20 10:30+01", Some("2026-11-20 10:30:00+01")),
            ("2026-11-20 10:30 Europe/Berlin", Some("2026-11-20 10:30:00 Europe/Berlin")),
            ("2026-11-20 10:30:15", None),
            ("2026-11-20 10", None),
            ("2026-11-20", None),
            ("chat at 10:30, 2026", None),
        ] {
            assert_eq!(with_seconds(written).as_deref(), expected, "{written}");
        }
    }
}
