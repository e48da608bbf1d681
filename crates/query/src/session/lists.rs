//! Lists: `x = ANY('{1,2}')` and `'{a,b}'::text[]`, where DataFusion takes a text of PostgreSQL for one item,
//! `x = ANY(ARRAY[1, NULL])`, which it answers as if no item were NULL, and what it does not know: `x && y`,
//! `x LIKE ANY (ARRAY[…])` and `x ?| ARRAY[…]`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value,
};
use tracewell_requests::postgres::parameters::list;

use super::copies::Copies;
use crate::zone::{call, literal};

/// Reads the list that an expression is cast from or compared with. Breaks where that would copy too much.
pub(super) fn rewrite(expression: &mut Expr, copies: &mut Copies) -> ControlFlow<()> {
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
        Expr::BinaryOp { left, op: BinaryOperator::PGOverlap, right } => {
            let sides = [left, right].map(|side| overlapping(side));
            *expression = Expr::Function(call("array_has_any", sides));
        }
        Expr::BinaryOp { left, op: op @ (BinaryOperator::QuestionPipe | BinaryOperator::QuestionAnd), right } => {
            if let Some(keys) = patterns(right).map(known) {
                copies.take_of(left, keys.len())?;
                let joint = if *op == BinaryOperator::QuestionPipe { BinaryOperator::Or } else { BinaryOperator::And };
                let has = |key: Expr| Expr::BinaryOp {
                    left: left.clone(),
                    op: BinaryOperator::Question,
                    right: Box::new(key),
                };
                *expression = each(keys.into_iter().map(has), &joint);
            }
        }
        Expr::Like { .. } | Expr::ILike { .. } => {
            if let Some((patterns, op)) = patterns_of(expression) {
                // Without the list, which would be copied for each of its items.
                let one = like(expression.clone(), Expr::Value(Value::Null.into()));
                copies.take_of(&one, patterns.len())?;
                *expression = each(patterns.into_iter().map(|pattern| like(one.clone(), pattern)), &op);
            }
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

/// The patterns of `x LIKE ANY (ARRAY['a', 'b'])`, which is `(x LIKE 'a' OR x LIKE 'b')`, and of `x LIKE ALL …` with
/// `AND`.
fn patterns_of(expression: &Expr) -> Option<(Vec<Expr>, BinaryOperator)> {
    let (Expr::Like { any, pattern, .. } | Expr::ILike { any, pattern, .. }) = expression else { return None };
    match pattern.as_ref() {
        list if *any => Some((patterns(list)?, BinaryOperator::Or)),
        Expr::Function(all) => {
            let op = match all.name.to_string().to_ascii_lowercase().as_str() {
                "all" => BinaryOperator::And,
                "some" => BinaryOperator::Or,
                _ => return None,
            };
            let FunctionArguments::List(given) = &all.args else { return None };
            let [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))] = given.args.as_slice() else { return None };
            Some((patterns(list)?, op))
        }
        _ => None,
    }
}

/// The same with one pattern.
fn like(mut expression: Expr, with: Expr) -> Expr {
    if let Expr::Like { any, pattern, .. } | Expr::ILike { any, pattern, .. } = &mut expression {
        (*any, **pattern) = (false, with);
    }
    expression
}

/// Conditions with `AND` or `OR` between. Of none, not any is true, and all are.
fn each(conditions: impl Iterator<Item = Expr>, op: &BinaryOperator) -> Expr {
    let join =
        |left: Expr, right: Expr| Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) };
    let none = || Expr::Value(Value::Boolean(*op == BinaryOperator::And).into());
    Expr::Nested(Box::new(conditions.reduce(join).unwrap_or_else(none)))
}

/// A list that is written in the statement, without what is not known: that overlaps with nothing, not even itself.
fn overlapping(list: &Expr) -> Expr {
    let written = |items: Vec<Expr>| Expr::Array(Array { elem: known(items), named: true });
    match list {
        Expr::Array(Array { elem, .. }) => written(elem.clone()),
        text => items(text).map_or_else(|| text.clone(), written),
    }
}

fn known(items: Vec<Expr>) -> Vec<Expr> {
    let is_null = |item: &Expr| matches!(item, Expr::Value(item) if item.value == Value::Null);
    items.into_iter().filter(|item| !is_null(item)).collect()
}

fn patterns(list: &Expr) -> Option<Vec<Expr>> {
    match list {
        Expr::Nested(list) | Expr::Cast { expr: list, data_type: DataType::Array(_), .. } => patterns(list),
        Expr::Array(Array { elem, .. }) => Some(elem.clone()),
        text => items(text),
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
            (
                "SELECT a && ARRAY['x'], a && '{x,y}'",
                "SELECT array_has_any(a, ARRAY['x']), array_has_any(a, ARRAY['x', 'y'])",
            ),
            ("SELECT a && '{x,NULL}', a ?& ARRAY['x', NULL]", "SELECT array_has_any(a, ARRAY['x']), (a ? 'x')"),
            ("SELECT a LIKE ANY (ARRAY['x%', b])", "SELECT (a LIKE 'x%' OR a LIKE b)"),
            ("SELECT a NOT ILIKE ALL ('{x%,y}'::text[])", "SELECT (a NOT ILIKE 'x%' AND a NOT ILIKE 'y')"),
            ("SELECT a ?| ARRAY['x', 'y'], a ?& '{x}'", "SELECT (a ? 'x' OR a ? 'y'), (a ? 'x')"),
            ("SELECT a LIKE ANY ('{}'), a LIKE ALL (ARRAY[])", "SELECT (false), (true)"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for same in [
            "SELECT a = ANY('x')",
            "SELECT a > ANY('{1}')",
            "SELECT '{a'::TEXT[]",
            "SELECT a = ANY(b)",
            "SELECT a = ANY(ARRAY[b])",
            "SELECT a LIKE lower('B%')",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
