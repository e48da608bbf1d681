//! `a || b` and `a = b` of what is JSON to PostgreSQL: here it is text, and texts are joined and compared as such.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};

use crate::functions::{JOINED, SAME};
use crate::zone::{call, literal};

/// Reads operators between values that are cast to JSON, or made as such, as those of JSON.
pub(super) fn rewrite(expression: &mut Expr) {
    let Expr::BinaryOp { left, op, right } = expression else { return };
    let joined = match op {
        BinaryOperator::StringConcat => true,
        BinaryOperator::Eq | BinaryOperator::NotEq => false,
        _ => return,
    };
    if !is_json(left) && !is_json(right) {
        return;
    }
    // A text beside JSON is joined to its text in PostgreSQL too.
    if joined && ![&*left, &*right].into_iter().all(|side| is_json(side) || is_member(side) || is_untyped(side)) {
        return;
    }
    let differ = *op == BinaryOperator::NotEq;
    let sides = [left, right].map(|side| std::mem::replace(side.as_mut(), Expr::Value(Value::Null.into())));
    let read = Expr::Function(call(if joined { JOINED } else { SAME }, sides));
    *expression = if differ { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(read) } } else { read };
}

/// Whether an expression is JSON to whoever wrote it.
fn is_json(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_json(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::JSON | DataType::JSONB),
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            ["to_json", "to_jsonb", "json_build_array", "json_build_object", "jsonb_set"].contains(&name.as_str())
                || ["jsonb_build_", "tracewell_json_"].iter().any(|start| name.starts_with(start))
        }
        _ => false,
    }
}

/// Whether it is of the type of what it is beside.
fn is_untyped(expression: &Expr) -> bool {
    let is_parameter = |value: &Value| matches!(value, Value::Placeholder(_));
    literal(expression).is_some() || matches!(expression, Expr::Value(known) if is_parameter(&known.value))
}

/// Whether it is a member of JSON, as JSON.
fn is_member(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_member(inner),
        Expr::BinaryOp { op, .. } => matches!(op, BinaryOperator::Arrow | BinaryOperator::HashArrow),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten;

    #[test]
    fn what_is_json_is_joined_and_compared_as_json() {
        for (sql, expected) in [
            ("SELECT a::JSONB || b::JSONB", "SELECT tracewell_json_joined(a::JSONB, b::JSONB)"),
            (
                "SELECT (a::JSONB || '[1]') || (b -> 'c')",
                "SELECT tracewell_json_joined((tracewell_json_joined(a::JSONB, '[1]')), (b -> 'c'))",
            ),
            ("SELECT a -> 'b' = '1'::JSONB", "SELECT tracewell_same_json(a -> 'b', '1'::JSONB)"),
            ("SELECT a::JSONB || $1", "SELECT tracewell_json_joined(a::JSONB, $1)"),
            ("SELECT a::JSONB <> b", "SELECT NOT tracewell_same_json(a::JSONB, b)"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for same in ["SELECT a::JSONB || b", "SELECT a || b", "SELECT a = b", "SELECT a -> 'b' = '1'"] {
            assert_eq!(rewritten(same), same);
        }
    }
}
