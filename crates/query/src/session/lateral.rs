//! `FROM spans AS s CROSS JOIN LATERAL unnest(s.tags) AS t(tag)` has a row for each item of a list of the row.
//! DataFusion knows that of what is shown only, so the table becomes
//! `(SELECT *, unnest(s.tags) AS tag FROM spans AS s) AS s`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, JoinConstraint, JoinOperator, OrderBy, Query, Select, SelectItem,
    SetExpr, Statement, TableAlias, TableFactor, TableWithJoins, Value, visit_expressions, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::names::plain;
use crate::zone::call;

/// Takes lists that stand among the tables into the tables that they are of.
pub(super) fn rewrite(query: &mut Query) {
    let Query { body, order_by, .. } = query;
    selects(body, order_by.as_mut());
}

fn selects(body: &mut SetExpr, mut order_by: Option<&mut OrderBy>) {
    match body {
        SetExpr::Select(select) => {
            while let Some((list, of)) = next(select) {
                take(list, of, select, order_by.as_deref_mut());
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            selects(left, None);
            selects(right, None);
        }
        _ => {}
    }
}

/// A list that stands among the tables.
struct List {
    items: Expr,
    name: Ident,
    column: Ident,
}

/// The place of a table: among those with commas between, and among those that are joined.
type Place = (usize, usize);

/// Removes the first list of a table that stands before it, and says where that is.
fn next(select: &mut Select) -> Option<(List, Place)> {
    let found = select.from.iter().enumerate().find_map(|(table, tables)| {
        factors(tables).enumerate().find_map(|(position, factor)| {
            let list = list_of(factor).filter(|_| is_free(tables, position))?;
            let all = format!("{}.*", list.name);
            if select.projection.iter().any(|item| item.to_string().eq_ignore_ascii_case(&all)) {
                return None;
            }
            let of = owner(&select.from[..=table], &list.items).filter(|of| *of < (table, position))?;
            Some((list, of, (table, position)))
        })
    });
    let (list, of, (table, position)) = found?;
    match position.checked_sub(1) {
        Some(join) => drop(select.from[table].joins.remove(join)),
        None => drop(select.from.remove(table)),
    }
    Some((list, of))
}

fn factors(tables: &TableWithJoins) -> impl Iterator<Item = &TableFactor> {
    std::iter::once(&tables.relation).chain(tables.joins.iter().map(|join| &join.relation))
}

fn list_of(factor: &TableFactor) -> Option<List> {
    let only = |arguments: &[FunctionArg]| match arguments {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))] => Some(list.clone()),
        _ => None,
    };
    let (function, list, alias) = match factor {
        TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality: false, .. } => {
            let [list] = array_exprs.as_slice() else { return None };
            ("unnest".to_owned(), list.clone(), alias)
        }
        TableFactor::Function { name, args, with_ordinality: false, alias, .. } => {
            (name.to_string(), only(args)?, alias)
        }
        TableFactor::Table { name, alias, args: Some(given), with_ordinality: false, .. } => {
            (name.to_string(), only(&given.args)?, alias)
        }
        _ => return None,
    };
    let name = alias.as_ref().map_or_else(|| Ident::new(function.as_str()), |alias| alias.name.clone());
    let (items, column) = match function.to_ascii_lowercase().as_str() {
        "unnest" => (list, name.clone()),
        "json_array_elements" | "jsonb_array_elements" => {
            (Expr::Function(call("json_get_array", [list])), Ident::new("value"))
        }
        _ => return None,
    };
    let column = match alias.as_ref().map_or(&[][..], |alias| alias.columns.as_slice()) {
        [] => column,
        [column] => column.name.clone(),
        _ => return None,
    };
    Some(List { items, name, column })
}

/// Whether nothing tells which items belong to which rows but that the list is the row's.
fn is_free(tables: &TableWithJoins, position: usize) -> bool {
    let is_true = |condition: &Expr| matches!(condition, Expr::Value(value) if value.value == Value::Boolean(true));
    match position.checked_sub(1).map(|join| &tables.joins[join].join_operator) {
        None => tables.joins.is_empty(),
        Some(JoinOperator::CrossJoin(JoinConstraint::None)) => true,
        Some(JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on))) => is_true(on),
        Some(_) => false,
    }
}

/// The table that all columns of an expression are of: that which they name, or the only one.
fn owner(from: &[TableWithJoins], items: &Expr) -> Option<Place> {
    let mut named: Vec<Option<String>> = Vec::new();
    let whole = visit_expressions(items, |expression: &Expr| {
        match expression {
            Expr::Identifier(_) => named.push(None),
            Expr::CompoundIdentifier(parts) => named.push(parts.first().map(plain)),
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let first = named.first()?;
    if whole.is_break() || named.iter().any(|name| name != first) {
        return None;
    }
    let mut places = Vec::new();
    for (table, tables) in from.iter().enumerate() {
        for (position, factor) in factors(tables).enumerate() {
            let name = called(factor).map(plain);
            if list_of(factor).is_none() && first.as_ref().is_none_or(|first| name.as_ref() == Some(first)) {
                places.push(((table, position), name.is_some() && is_kept(tables, position)));
            }
        }
    }
    match places.as_slice() {
        [(place, true)] => Some(*place),
        _ => None,
    }
}

fn called(factor: &TableFactor) -> Option<&Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), lateral: false, .. } => Some(&alias.name),
        TableFactor::Table { name, alias: None, args: None, .. } => name.0.last()?.as_ident(),
        _ => None,
    }
}

/// Whether the rows of a table are joined as they are: none is there without one of it.
fn is_kept(tables: &TableWithJoins, position: usize) -> bool {
    tables.joins.iter().enumerate().all(|(join, joined)| match &joined.join_operator {
        JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => true,
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => join + 1 != position,
        _ => false,
    })
}

/// Gives the rows of a table the items of a list of theirs, and the column its name.
fn take(list: List, (table, position): Place, select: &mut Select, order_by: Option<&mut OrderBy>) {
    let tables = &mut select.from[table];
    let factor = match position.checked_sub(1) {
        Some(join) => &mut tables.joins[join].relation,
        None => &mut tables.relation,
    };
    let Some(of) = called(factor).cloned() else { return };
    let mut subquery = all_columns();
    if let SetExpr::Select(inner) = subquery.body.as_mut() {
        let expr = Expr::Function(call("unnest", [list.items]));
        inner.projection.push(SelectItem::ExprWithAlias { expr, alias: list.column.clone() });
        inner.from = vec![TableWithJoins { relation: factor.clone(), joins: Vec::new() }];
    }
    let alias = Some(TableAlias { explicit: true, name: of.clone(), columns: Vec::new(), at: None });
    *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
    let is_whole = |name: &Ident| plain(name) == plain(&list.name) && plain(name) != plain(&list.column);
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ Expr::Identifier(_)) = &*item
            && let Expr::Identifier(name) = expr
            && is_whole(name)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: name.clone() };
        }
    }
    // What is behind another point is a member of the item.
    let is_column = |parts: &[Ident]| match parts {
        [table, column, ..] => plain(table) == plain(&list.name) && plain(column) == plain(&list.column),
        _ => false,
    };
    let rename = |expression: &mut Expr| {
        match expression {
            Expr::CompoundIdentifier(parts) if is_column(parts.as_slice()) => parts[0] = of.clone(),
            Expr::Identifier(name) if is_whole(name) => {
                *expression = Expr::CompoundIdentifier(vec![of.clone(), list.column.clone()]);
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    };
    let _ = visit_expressions_mut(select, rename);
    if let Some(order_by) = order_by {
        let _ = visit_expressions_mut(order_by, rename);
    }
}

/// `SELECT * FROM t`
fn all_columns() -> Box<Query> {
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, "SELECT * FROM t");
    match parsed.ok().and_then(|mut statements| statements.pop()) {
        Some(Statement::Query(query)) => query,
        _ => unreachable!("that is a query"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten_by;
    use super::*;

    #[test]
    fn a_list_among_the_tables_is_one_of_the_rows_that_it_is_of() {
        for (sql, expected) in [
            (
                "SELECT s.a, t.tag FROM b JOIN spans AS s ON b.x = s.x CROSS JOIN LATERAL unnest(s.tags) AS t (tag)",
                "SELECT s.a, s.tag FROM b JOIN (SELECT *, unnest(s.tags) AS tag FROM spans AS s) AS s ON b.x = s.x",
            ),
            (
                "SELECT tag FROM spans, unnest(tags) AS tag WHERE tag > 'b' ORDER BY tag",
                "SELECT tag FROM (SELECT *, unnest(tags) AS tag FROM spans) AS spans WHERE tag > 'b' ORDER BY tag",
            ),
            (
                "SELECT e, e.value FROM t, jsonb_array_elements(t.x) AS e ORDER BY e.value",
                "SELECT t.value AS e, t.value FROM (SELECT *, unnest(json_get_array(t.x)) AS value FROM t) AS t \
                 ORDER BY t.value",
            ),
            (
                "SELECT d.id FROM t, unnest(t.documents) AS d",
                "SELECT d.id FROM (SELECT *, unnest(t.documents) AS d FROM t) AS t",
            ),
            (
                "SELECT 1 FROM t JOIN LATERAL unnest(t.x) AS u ON true LEFT JOIN v ON v.a = u.u, unnest(t.y) AS w",
                "SELECT 1 FROM (SELECT *, unnest(t.y) AS w FROM (SELECT *, unnest(t.x) AS u FROM t) AS t) AS t \
                 LEFT JOIN v ON v.a = t.u",
            ),
        ] {
            assert_eq!(rewritten_by(rewrite, sql), expected);
        }
        for same in [
            "SELECT x FROM t, UNNEST(ARRAY[1, 2]) AS x",
            "SELECT x FROM t LEFT JOIN UNNEST(t.a) AS x ON true",
            "SELECT x FROM s LEFT JOIN t ON s.a = t.a CROSS JOIN UNNEST(t.b) AS x",
            "SELECT x FROM s, t, UNNEST(b) AS x",
            "SELECT x.* FROM t, UNNEST(t.a) AS x",
        ] {
            assert_eq!(rewritten_by(rewrite, same), same);
        }
    }
}
