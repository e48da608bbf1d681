//! `SELECT string_agg(x, ',') FROM (SELECT x FROM t ORDER BY x) AS s`: PostgreSQL gathers rows as they come. To
//! DataFusion the order of a subquery means nothing, so what gathers gets it.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArgumentClause, FunctionArguments, ObjectName, OrderBy, OrderByExpr, OrderByKind, Query, SelectItem,
    SetExpr, TableAlias, TableFactor, TableWithJoins, Value, With,
};

use crate::zone::value;

const GATHERING: [&str; 6] =
    ["array_agg", "json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "string_agg"];

/// Gathers in the order of the one subquery, or of the one part of `WITH`, that a query is from.
pub(super) fn rewrite(query: &mut Query) {
    let Query { with, body, .. } = query;
    let SetExpr::Select(select) = body.as_mut() else { return };
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return };
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
    let Some(order) = source.filter(|_| joins.is_empty()).and_then(order_of) else { return };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            gather(expression, &order);
        }
    }
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

/// The column that shows what rows are ordered by.
fn shown(by: &Expr, items: &[SelectItem]) -> Option<Expr> {
    if let Expr::Value(known) = by {
        let Value::Number(position, _) = &known.value else { return None };
        return column(items.get(position.parse::<usize>().ok()?.checked_sub(1)?)?);
    }
    items.iter().find_map(|item| match item {
        SelectItem::Wildcard(_) if matches!(by, Expr::Identifier(_)) => Some(by.clone()),
        SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) if expr == by => column(item),
        item => column(item).filter(|column| column == by),
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

fn gather(expression: &mut Expr, order: &[OrderByExpr]) {
    match expression {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::CompoundFieldAccess { root: inner, .. } => {
            gather(inner, order);
        }
        Expr::BinaryOp { left, right, .. } => {
            gather(left, order);
            gather(right, order);
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            let FunctionArguments::List(list) = &mut function.args else { return };
            let is_ordered = list.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
            if !GATHERING.contains(&name.as_str()) {
                list.args.iter_mut().filter_map(value).for_each(|argument| gather(argument, order));
            } else if !is_ordered && list.duplicate_treatment.is_none() && function.over.is_none() {
                list.clauses.push(FunctionArgumentClause::OrderBy(order.to_vec()));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten_by;
    use super::*;

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
        ] {
            assert_eq!(rewritten_by(rewrite, sql), expected);
        }
        for same in [
            "SELECT array_agg(x ORDER BY z), array_agg(DISTINCT x), max(x) FROM (SELECT x, z FROM t ORDER BY x) AS s",
            "SELECT array_agg(x) FROM (SELECT x FROM t ORDER BY y) AS s",
            "SELECT array_agg(x) FROM (SELECT x FROM t ORDER BY x LIMIT 3) AS s",
            "SELECT array_agg(a) FROM (SELECT x FROM t ORDER BY x) AS s (a)",
            "SELECT array_agg(s.x) FROM (SELECT x FROM t ORDER BY x) AS s, u",
        ] {
            assert_eq!(rewritten_by(rewrite, same), same);
        }
    }
}
