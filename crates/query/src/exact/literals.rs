//! Numbers as they are written in SQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, SetExpr, Value, VisitMut, VisitorMut, visit_expressions_mut,
};

use super::numeric;

/// Reads numbers with an exponent as binary, `numeric` without digits as what keeps those of the value, and bytes in
/// hexadecimal digits.
pub(crate) fn rewrite(statement: &mut ast::Statement) {
    let _ = statement.visit(&mut BinaryColumns);
    let _ = visit_expressions_mut(statement, |expression: &mut Expr| {
        if let Some(exact) = rewritten(expression) {
            *expression = exact;
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Makes the numbers of a column of `VALUES` binary where one of them is: DataFusion would make all of them decimals.
struct BinaryColumns;

impl VisitorMut for BinaryColumns {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        binary_columns(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn binary_columns(body: &mut SetExpr) {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            binary_columns(left);
            binary_columns(right);
        }
        SetExpr::Values(values) => {
            let columns = values.rows.iter().map(|row| row.content.len()).max().unwrap_or(0);
            for column in 0..columns {
                if values.rows.iter().filter_map(|row| row.content.get(column)).any(is_binary) {
                    let cells = values.rows.iter_mut().filter_map(|row| row.content.get_mut(column));
                    cells.filter(|cell| is_exact(cell)).for_each(|cell| {
                        let exact = std::mem::replace(cell, Expr::Value(Value::Null.into()));
                        *cell = cast(exact, DataType::DoublePrecision);
                    });
                }
            }
        }
        _ => {}
    }
}

fn is_binary(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => matches!(&value.value, Value::Number(number, _) if number.contains(['e', 'E'])),
        Expr::Cast { data_type, .. } => matches!(
            data_type,
            DataType::DoublePrecision
                | DataType::Double(_)
                | DataType::Real
                | DataType::Float(_)
                | DataType::Float4
                | DataType::Float8
                | DataType::Float64
        ),
        Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => is_binary(expr),
        Expr::BinaryOp { left, right, .. } => is_binary(left) || is_binary(right),
        _ => false,
    }
}

fn is_exact(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => matches!(&value.value, Value::Number(number, _) if !number.contains(['e', 'E'])),
        Expr::Cast { data_type, .. } => {
            matches!(data_type, DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_))
        }
        Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => is_exact(expr),
        Expr::BinaryOp { left, right, .. } => is_exact(left) && is_exact(right),
        _ => false,
    }
}

fn rewritten(expression: &Expr) -> Option<Expr> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) if number.contains(['e', 'E']) => {
                let number = Expr::Value(Value::SingleQuotedString(number.replace('_', "")).into());
                Some(cast(number, DataType::DoublePrecision))
            }
            _ => None,
        },
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } if is_bare(data_type) => {
            Some(match text(expr).and_then(tracewell_requests::digits) {
                Some((precision, scale)) => {
                    let digits = ExactNumberInfo::PrecisionAndScale(u64::from(precision), i64::from(scale));
                    cast(expr.as_ref().clone(), DataType::Numeric(digits))
                }
                None => call(expr.as_ref().clone()),
            })
        }
        Expr::Cast { expr, data_type: DataType::Bytea | DataType::Blob(_) | DataType::Binary(_), .. } => {
            let digits = text(expr)?.strip_prefix("\\x")?;
            Some(Expr::Value(Value::HexStringLiteral(digits.to_owned()).into()))
        }
        _ => None,
    }
}

/// `numeric`, without how many digits it has.
fn is_bare(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Numeric(ExactNumberInfo::None)
            | DataType::Decimal(ExactNumberInfo::None)
            | DataType::Dec(ExactNumberInfo::None)
    )
}

fn text(expression: &Expr) -> Option<&str> {
    let Expr::Value(value) = expression else { return None };
    match &value.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
        _ => None,
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, array: false, format: None }
}

fn call(argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(numeric::NAME)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// What an expression that was `… ::numeric` turns into a decimal.
pub(crate) fn takes_numeric(expression: &Expr) -> Option<&Expr> {
    let Expr::Function(function) = expression else { return None };
    let FunctionArguments::List(arguments) = &function.args else { return None };
    match arguments.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] if function.name.to_string() == numeric::NAME => {
            Some(argument)
        }
        _ => None,
    }
}
