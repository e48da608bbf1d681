//! Numbers as they are written in SQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, SetExpr, UnaryOperator, Value,
    VisitMut, VisitorMut, visit_expressions_mut,
};

use super::numeric;

/// Reads numbers with an exponent as binary, `float` as what has double precision, `numeric` without digits as what
/// keeps those of the value, bytes in hexadecimal digits, and the sign before a power as that of its base.
pub(crate) fn rewrite(statement: &mut ast::Statement) {
    let _ = statement.visit(&mut Numbers);
    let _ = visit_expressions_mut(statement, |expression: &mut Expr| {
        if let Some(exact) = rewritten(expression) {
            *expression = exact;
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Makes the numbers of a column of `VALUES` binary where one of them is: DataFusion would make all of them decimals.
/// Makes a long sum one of two halves: for each level of it DataFusion asks for the types of all levels below.
struct Numbers;

impl VisitorMut for Numbers {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        binary_columns(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Some(terms) = terms(expression) {
            *expression = sum(&terms);
        }
        ControlFlow::Continue(())
    }
}

/// Shorter sums stay as they are.
const LONG: usize = 64;

/// The terms of a long sum of numbers, all of which are written with a point or all without.
fn terms(mut sum: &Expr) -> Option<Vec<Expr>> {
    let mut terms = Vec::new();
    while let Expr::BinaryOp { left, op: BinaryOperator::Plus, right } = sum {
        terms.push(right.as_ref());
        sum = left;
    }
    if terms.len() < LONG {
        return None;
    }
    terms.push(sum);
    let has_point = |term: &Expr| match term {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) if !number.contains(['e', 'E']) => Some(number.contains('.')),
            _ => None,
        },
        _ => None,
    };
    let first = has_point(sum)?;
    let alike = terms.iter().all(|term| has_point(term) == Some(first));
    alike.then(|| terms.into_iter().rev().cloned().collect())
}

fn sum(terms: &[Expr]) -> Expr {
    if let [term] = terms {
        return term.clone();
    }
    let (left, right) = terms.split_at(terms.len() / 2);
    Expr::BinaryOp { left: Box::new(sum(left)), op: BinaryOperator::Plus, right: Box::new(sum(right)) }
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
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => signed(expr),
        Expr::Cast { kind, expr, data_type, array, format } if let Some(data_type) = double(data_type) => {
            let (kind, expr, format) = (kind.clone(), expr.clone(), format.clone());
            Some(Expr::Cast { kind, expr, data_type, array: *array, format })
        }
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

/// `-a ^ b` as `(-a) ^ b`: the sign is that of the base.
fn signed(power: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { left, op: BinaryOperator::PGExp, right } = power else { return None };
    let negative = || {
        let base = Expr::UnaryOp { op: UnaryOperator::Minus, expr: left.clone() };
        Expr::Nested(Box::new(base))
    };
    let left = Box::new(signed(left).unwrap_or_else(negative));
    Some(Expr::BinaryOp { left, op: BinaryOperator::PGExp, right: right.clone() })
}

/// `float`, which has double precision unless it says less, or a list of such, by the name that says so.
fn double(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Float(ExactNumberInfo::None | ExactNumberInfo::Precision(25..)) => Some(DataType::DoublePrecision),
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, size)) => {
            Some(DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(double(item)?), *size)))
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

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    /// How deep a query goes, and its text, without signs of how its terms are put together.
    fn read(sql: &str) -> (usize, String) {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("it is SQL");
        rewrite(&mut statements[0]);
        let ast::Statement::Query(query) = &statements[0] else { panic!("it is a query") };
        let SetExpr::Select(select) = query.body.as_ref() else { panic!("it is a selection") };
        let ast::SelectItem::UnnamedExpr(mut expression) = select.projection[0].clone() else { panic!("no name") };
        let mut depth = 0;
        while let Expr::BinaryOp { left, .. } = expression {
            depth += 1;
            expression = *left;
        }
        (depth, statements[0].to_string())
    }

    #[test]
    fn a_sign_is_that_of_the_base_and_a_float_has_double_precision() {
        for (sql, expected) in [
            ("SELECT -2 ^ 2 ^ 3", "SELECT (-2) ^ 2 ^ 3"),
            ("SELECT -(2 ^ 2)", "SELECT -(2 ^ 2)"),
            ("SELECT a - b ^ 2", "SELECT a - b ^ 2"),
            ("SELECT TRY_CAST(a AS FLOAT)", "SELECT TRY_CAST(a AS DOUBLE PRECISION)"),
            ("SELECT a::FLOAT(53)[]", "SELECT a::DOUBLE PRECISION[]"),
            ("SELECT a::FLOAT(24)", "SELECT a::FLOAT(24)"),
        ] {
            assert_eq!(read(sql).1, expected);
        }
    }

    #[test]
    fn a_long_sum_of_numbers_is_one_of_halves() {
        for number in ["1.1", "7"] {
            let sql = format!("SELECT {}", vec![number; 1024].join(" + "));
            assert_eq!(read(&sql), (10, sql));
        }
        for other in ["SELECT 1.5 + 2.5".to_owned(), format!("SELECT a + {}", vec!["1.1"; 100].join(" + "))] {
            let depth = other.matches('+').count();
            assert_eq!(read(&other), (depth, other.clone()));
        }
    }
}
