//! `SELECT string_agg(x, ',') FROM (SELECT x FROM t ORDER BY x) AS s`: PostgreSQL gathers rows as they come. To
//! DataFusion the order of a subquery means nothing, so what gathers gets it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArgumentClause, FunctionArguments, ObjectName, OrderBy, OrderByExpr, OrderByKind, Query, SelectItem,
    SetExpr, TableAlias, TableFactor, TableWithJoins, Value, With,
};

use super::copies::Copies;
use super::names::shows_all;
use crate::zone::value;

const GATHERING: [&str; 6] =
    ["array_agg", "json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "string_agg"];

/// Gathers in the order of the one subquery, or of the one part of `WITH`, that a query is from. Breaks where that
/// would copy too much.
pub(super) fn rewrite(query: &mut Query, copies: &mut Copies) -> ControlFlow<()> {
    let Query { with, body, .. } = query;
    let SetExpr::Select(select) = body.as_mut() else { return ControlFlow::Continue(()) };
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return ControlFlow::Continue(()) };
    let keeps_names = |alias: &TableAlias| alias.columns.is_empty();
    let source = match relation {
        TableFactor::Derived { subquery, alias, .. } if alias.as_ref().is_none_or(keeps_names) => {
            Some(subquery.as_ref())
        }
        TableFactor::Table { name, alias, args: None, .. } if alias.as_ref().is_none_or(keeps_names) => {
            with.as_ref().and_then(|with| part(with, name))
        }
        _ => None,
    };
    let Some(order) = source.filter(|_| joins.is_empty()).and_then(order_of) else { return ControlFlow::Continue(()) };
    select.projection.iter_mut().try_for_each(|item| match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
            gather(expression, &order, copies)
        }
        _ => ControlFlow::Continue(()),
    })
}

pub(super) fn part<'a>(with: &'a With, name: &ObjectName) -> Option<&'a Query> {
    let name = name.to_string();
    let part = with.cte_tables.iter().find(|part| part.alias.name.value.eq_ignore_ascii_case(&name))?;
    (part.alias.columns.is_empty() && !with.recursive).then_some(part.query.as_ref())
}

/// What the rows of a query are ordered by, in terms of the columns that it shows. With a limit they come in order.
fn order_of(query: &Query) -> Option<Vec<OrderByExpr>> {
    let Some(OrderBy { kind: OrderByKind::Expressions(all), .. }) = &query.order_by else { return None };
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return None;
    }
    let by = |by: &OrderByExpr| Some(OrderByExpr { expr: shown(&by.expr, &select.projection)?, ..by.clone() });
    all.iter().map(by).collect()
}

/// The column that shows what rows are ordered by: to a name, what is called so comes before what is made of it.
fn shown(by: &Expr, items: &[SelectItem]) -> Option<Expr> {
    let all = shows_all(items);
    if let Expr::Value(known) = by {
        let Value::Number(position, _) = &known.value else { return None };
        let item = position.parse::<usize>().ok()?.checked_sub(1)?;
        return column(items.get(item).filter(|_| !all)?);
    }
    let called = items.iter().filter_map(column).find(|column| column == by);
    called.or_else(|| {
        items.iter().find_map(|item| match item {
            SelectItem::Wildcard(_) if matches!(by, Expr::Identifier(_)) => Some(by.clone()),
            SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) if expr == by => column(item),
            _ => None,
        })
    })
}

/// What an item is called from without.
pub(super) fn column(item: &SelectItem) -> Option<Expr> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(Expr::Identifier(alias.clone())),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(Expr::Identifier(name.clone())),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned().map(Expr::Identifier),
        _ => None,
    }
}

fn gather(expression: &mut Expr, order: &[OrderByExpr], copies: &mut Copies) -> ControlFlow<()> {
    match expression {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::CompoundFieldAccess { root: inner, .. } => {
            gather(inner, order, copies)?;
        }
        Expr::BinaryOp { left, right, .. } => {
            gather(left, order, copies)?;
            gather(right, order, copies)?;
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            let FunctionArguments::List(list) = &mut function.args else { return ControlFlow::Continue(()) };
            let is_ordered = list.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
            if !GATHERING.contains(&name.as_str()) {
                list.args.iter_mut().filter_map(value).try_for_each(|argument| gather(argument, order, copies))?;
            } else if !is_ordered && list.duplicate_treatment.is_none() && function.over.is_none() {
                copies.take(order.len())?;
                list.clauses.push(FunctionArgumentClause::OrderBy(order.to_vec()));
            }
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten_by;
    use super::*;

    fn gathered(sql: &str) -> String {
        rewritten_by(|query| assert!(rewrite(query, &mut Copies::default()).is_continue()), sql)
    }

    #[test]
    fn what_gathers_rows_has_the_order_of_their_subquery() {
        for (sql, expected) in [
            (
                "SELECT k, string_agg(x, ',') FROM (SELECT k, x FROM t ORDER BY x DESC) AS s GROUP BY k",
                "SELECT k, string_agg(x, ',' ORDER BY x DESC) FROM (SELECT k, x FROM t ORDER BY x DESC) AS s \
                 GROUP BY k",
            ),
            (
                "WITH s AS (SELECT t.x, y + 1 AS z FROM t ORDER BY 2, t.x) SELECT (array_agg(x))[1] FROM s",
                "WITH s AS (SELECT t.x, y + 1 AS z FROM t ORDER BY 2, t.x) \
                 SELECT (array_agg(x ORDER BY z, x))[1] FROM s",
            ),
            (
                "SELECT array_to_string(array_agg(x), ',') FROM (SELECT * FROM t ORDER BY y)",
                "SELECT array_to_string(array_agg(x ORDER BY y), ',') FROM (SELECT * FROM t ORDER BY y)",
            ),
            (
                "SELECT array_agg(y) FROM (SELECT x AS y, z AS x FROM t ORDER BY x) AS s",
                "SELECT array_agg(y ORDER BY x) FROM (SELECT x AS y, z AS x FROM t ORDER BY x) AS s",
            ),
        ] {
            assert_eq!(gathered(sql), expected);
        }
        for same in [
            "SELECT array_agg(x ORDER BY z), array_agg(DISTINCT x), max(x) FROM (SELECT x, z FROM t ORDER BY x) AS s",
            "SELECT array_agg(x) FROM (SELECT x FROM t ORDER BY y) AS s",
            "SELECT array_agg(x) FROM (SELECT *, y FROM t ORDER BY 2) AS s",
            "SELECT array_agg(x) FROM (SELECT x FROM t ORDER BY x LIMIT 3) AS s",
            "SELECT array_agg(a) FROM (SELECT x FROM t ORDER BY x) AS s (a)",
            "SELECT array_agg(s.x) FROM (SELECT x FROM t ORDER BY x) AS s, u",
        ] {
            assert_eq!(gathered(same), same);
        }
    }
}
