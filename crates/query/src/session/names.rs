//! Names of casts. `SELECT x, x::text` is two columns of one name to PostgreSQL. DataFusion, to which a cast goes by
//! the name of what is cast as well, takes no name twice, and adds what rows are ordered by to what is shown.

use datafusion::sql::sqlparser::ast::{Expr, Ident, OrderBy, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr};

/// Names casts that go by the name of another column as they are written, and what rows are ordered by as they say.
pub(super) fn rewrite(query: &mut Query) {
    let Query { body, order_by, .. } = query;
    let column = |by: &OrderByExpr| match &by.expr {
        Expr::Identifier(name) => Some(name.clone()),
        _ => None,
    };
    let ordered: Vec<Ident> = match order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(all), .. }) => all.iter().filter_map(column).collect(),
        _ => Vec::new(),
    };
    selects(body, &ordered);
}

fn selects(body: &mut SetExpr, ordered: &[Ident]) {
    match body {
        SetExpr::Select(select) => name(&mut select.projection, ordered),
        SetExpr::SetOperation { left, right, .. } => {
            selects(left, &[]);
            selects(right, &[]);
        }
        _ => {}
    }
}

/// Whether columns are shown by `*`, whatever they are called.
pub(super) fn shows_all(items: &[SelectItem]) -> bool {
    items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)))
}

pub(super) fn is_column(expression: &Expr) -> bool {
    matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// A name without its quotes, as columns have it.
pub(super) fn plain(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn name(items: &mut [SelectItem], ordered: &[Ident]) {
    let written = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expression) => Some(uncast(expression).to_string().to_lowercase()),
        _ => None,
    };
    let is_cast = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(Expr::Cast { .. }));
    if !items.iter().any(is_cast) {
        return;
    }
    let cores: Vec<Option<String>> = items.iter().map(written).collect();
    let all = shows_all(items);
    for (position, item) in items.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(cast @ Expr::Cast { .. }) = &*item else { continue };
        let (of, own) = (uncast(cast), cores[position].as_deref().unwrap_or_default());
        let others = cores.iter().enumerate().filter(|(other, _)| *other != position);
        let alias =
            if all && is_column(of) || others.filter_map(|(_, core)| core.as_deref()).any(|core| same(core, own)) {
                Ident::with_quote('"', cast.to_string())
            } else if let Expr::Identifier(column) = of
                && ordered.contains(column)
            {
                column.clone()
            } else {
                continue;
            };
        *item = SelectItem::ExprWithAlias { expr: cast.clone(), alias };
    }
}

/// What is cast, however often.
pub(super) fn uncast(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => uncast(expr),
        other => other,
    }
}

/// Whether two are one column, with its table or without.
fn same(one: &str, other: &str) -> bool {
    let within = |long: &str, short: &str| {
        !short.contains('.') && long.strip_suffix(short).is_some_and(|table| table.ends_with('.'))
    };
    one == other || within(one, other) || within(other, one)
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten_by;
    use super::*;

    #[test]
    fn a_cast_has_a_name_of_its_own_where_another_column_has_its_name() {
        for (sql, expected) in [
            ("SELECT a, a::date FROM t", "SELECT a, a::DATE AS \"a::DATE\" FROM t"),
            ("SELECT t.a::text, a FROM t", "SELECT t.a::TEXT AS \"t.a::TEXT\", a FROM t"),
            ("SELECT avg(a), avg(a)::int FROM t", "SELECT avg(a), avg(a)::INT AS \"avg(a)::INT\" FROM t"),
            ("SELECT *, a::date FROM t", "SELECT *, a::DATE AS \"a::DATE\" FROM t"),
            ("SELECT a::date, b FROM t ORDER BY a", "SELECT a::DATE AS a, b FROM t ORDER BY a"),
            ("SELECT 1 UNION SELECT a, a::int FROM t", "SELECT 1 UNION SELECT a, a::INT AS \"a::INT\" FROM t"),
        ] {
            assert_eq!(rewritten_by(rewrite, sql), expected);
        }
        for same in [
            "SELECT a::DATE, b FROM t",
            "SELECT t.a::DATE, u.a FROM t, u",
            "SELECT a, a::DATE AS d FROM t",
            "SELECT a::DATE FROM t ORDER BY b",
            "SELECT *, lower(a)::TEXT FROM t",
        ] {
            assert_eq!(rewritten_by(rewrite, same), same);
        }
    }
}
