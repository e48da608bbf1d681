//! Lists: `x = ANY('{1,2}')` and `'{a,b}'::text[]`, where DataFusion takes a text of PostgreSQL for one item, and
//! `x = ANY(ARRAY[1, NULL])`, which it answers as if no item were NULL.

use datafusion::sql::sqlparser::ast::{Array, BinaryOperator, DataType, Expr, UnaryOperator, Value};
use tracewell_requests::postgres::parameters::list;

use crate::zone::literal;

/// Reads the list that an expression is cast from or compared with.
pub(super) fn rewrite(expression: &mut Expr) {
    match expression {
        Expr::Cast { expr, data_type: DataType::Array(_), .. } => {
            if let Some(elem) = items(expr) {
                **expr = Expr::Array(Array { elem, named: true });
            }
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            if let Some(list) = listed(right) {
                *expression = one_of(left.clone(), list, false);
            }
        }
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            if let Some(list) = listed(right) {
                *expression = one_of(left.clone(), list, true);
            }
        }
        _ => {}
    }
}

/// The items of a list that is written in the statement.
fn listed(list: &Expr) -> Option<Vec<Expr>> {
    let is_plain = |item: &Expr| match item {
        Expr::Value(_) => true,
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => matches!(expr.as_ref(), Expr::Value(_)),
        _ => false,
    };
    match list {
        Expr::Array(Array { elem, .. }) => elem.iter().all(is_plain).then(|| elem.clone()),
        text => items(text),
    }
}

/// The items, each of which is read as the type that it is compared with.
fn items(text: &Expr) -> Option<Vec<Expr>> {
    let value = |item: Option<String>| Expr::Value(item.map_or(Value::Null, Value::SingleQuotedString).into());
    Some(list(literal(text)?)?.into_iter().map(value).collect())
}

fn one_of(expr: Box<Expr>, list: Vec<Expr>, negated: bool) -> Expr {
    if list.is_empty() {
        return Expr::Value(Value::Boolean(negated).into());
    }
    Expr::InList { expr, list, negated }
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten;

    #[test]
    fn a_list_in_a_text_is_a_list() {
        for (sql, expected) in [
            ("SELECT 1 = ANY('{1, 2}')", "SELECT 1 IN ('1', '2')"),
            ("SELECT a <> ALL('{x,\"y z\",NULL}')", "SELECT a NOT IN ('x', 'y z', NULL)"),
            ("SELECT a = ANY(ARRAY[-1, NULL, $1]), b <> ALL(ARRAY['x'])", "SELECT a IN (-1, NULL, $1), b NOT IN ('x')"),
            ("SELECT a = ANY('{}'), a <> ALL('{}')", "SELECT false, true"),
            ("SELECT a = ANY('{a,b}'::TEXT[])", "SELECT a = ANY(ARRAY['a', 'b']::TEXT[])"),
            ("SELECT '{}'::INT[]", "SELECT ARRAY[]::INT[]"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for same in [
            "SELECT a = ANY('x')",
            "SELECT a > ANY('{1}')",
            "SELECT '{a'::TEXT[]",
            "SELECT a = ANY(b)",
            "SELECT a = ANY(ARRAY[b])",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
