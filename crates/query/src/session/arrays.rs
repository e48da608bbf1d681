//! `array(SELECT x FROM t ORDER BY y)` as `coalesce((SELECT array_agg(x ORDER BY y) FROM t), ARRAY[])`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, Distinct, DuplicateTreatment, Expr, FunctionArgumentClause, FunctionArguments, GroupByExpr, OrderBy,
    OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
};

use super::copies::Copies;
use super::names::plain;
use crate::zone::call;

/// Gathers the rows of a subquery in a list. What cannot be said so is left for the planner to refuse. Breaks where
/// that would copy too much.
pub(super) fn rewrite(expression: &mut Expr, copies: &mut Copies) -> ControlFlow<()> {
    if let Expr::Function(function) = &*expression
        && function.name.to_string().eq_ignore_ascii_case("array")
        && let FunctionArguments::Subquery(query) = &function.args
        && let Some(gathered) = gathered(query, copies)
    {
        let gathered = gathered?;
        let none = Expr::Array(Array { elem: Vec::new(), named: true });
        *expression = Expr::Function(call("coalesce", [Expr::Subquery(Box::new(gathered)), none]));
    }
    ControlFlow::Continue(())
}

/// A query whose rows are those of its tables, as one list.
fn gathered(query: &Query, copies: &mut Copies) -> Option<ControlFlow<(), Query>> {
    let mut query = query.clone();
    let order = order_of(query.order_by.take())?;
    let plain_rows = query.limit_clause.is_none() && query.fetch.is_none();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    if !plain_rows || !is_of_rows(select) {
        return None;
    }
    let [SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }] = select.projection.as_slice() else {
        return None;
    };
    let distinct = select.distinct.take();
    let (value, alias) = match select.projection.pop()? {
        SelectItem::UnnamedExpr(value) => (value, None),
        SelectItem::ExprWithAlias { expr, alias } => (expr, Some(plain(&alias))),
        _ => return None,
    };
    // By its place or its name, it is what is shown.
    let is_shown = |by: &Expr| match by {
        Expr::Value(known) => known.value == Value::Number("1".into(), false),
        Expr::Identifier(name) => alias.as_ref().is_some_and(|alias| *alias == plain(name)),
        _ => false,
    };
    let times = order.iter().filter(|by| is_shown(&by.expr)).count();
    if copies.take_of(&value, times).is_break() {
        return Some(ControlFlow::Break(()));
    }
    let by = |by: OrderByExpr| if is_shown(&by.expr) { OrderByExpr { expr: value.clone(), ..by } } else { by };
    let order: Vec<OrderByExpr> = order.into_iter().map(by).collect();
    let mut list = call("array_agg", [value]);
    if let FunctionArguments::List(arguments) = &mut list.args {
        arguments.duplicate_treatment = distinct.map(|_| DuplicateTreatment::Distinct);
        if !order.is_empty() {
            arguments.clauses.push(FunctionArgumentClause::OrderBy(order));
        }
    }
    select.projection.push(SelectItem::UnnamedExpr(Expr::Function(list)));
    Some(ControlFlow::Continue(query))
}

/// What rows are ordered by; `None` where that is not said by expressions.
fn order_of(order: Option<OrderBy>) -> Option<Vec<OrderByExpr>> {
    match order {
        None => Some(Vec::new()),
        Some(OrderBy { kind: OrderByKind::Expressions(all), .. }) => Some(all),
        Some(_) => None,
    }
}

/// Whether a row is shown for each row of the tables, or for each value.
fn is_of_rows(select: &Select) -> bool {
    matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && matches!(&select.distinct, None | Some(Distinct::Distinct))
        && select.having.is_none()
        && select.qualify.is_none()
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten;

    #[test]
    fn an_array_of_rows_is_a_list_that_they_are_gathered_in() {
        for (sql, expected) in [
            ("SELECT array(SELECT a FROM t)", "SELECT coalesce((SELECT array_agg(a) FROM t), ARRAY[])"),
            (
                "SELECT ARRAY(SELECT a AS x FROM t WHERE t.b = u.b ORDER BY b DESC, 1, X) FROM u",
                "SELECT coalesce((SELECT array_agg(a ORDER BY b DESC, a, a) FROM t WHERE t.b = u.b), ARRAY[]) FROM u",
            ),
            (
                "SELECT array(SELECT DISTINCT a FROM t ORDER BY a)",
                "SELECT coalesce((SELECT array_agg(DISTINCT a ORDER BY a) FROM t), ARRAY[])",
            ),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for same in [
            "SELECT array(SELECT a FROM t LIMIT 1)",
            "SELECT array(SELECT a FROM t GROUP BY a)",
            "SELECT array(SELECT a FROM t UNION SELECT 1)",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
