//! `FROM spans AS s CROSS JOIN LATERAL unnest(s.tags) AS t(tag)` has a row for each item of a list of the row.
//! DataFusion knows that of what is shown only, so the table becomes
//! `(SELECT *, unnest(s.tags) AS tag FROM spans AS s) AS s`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ExcludeSelectItem, Expr, FunctionArg, FunctionArgExpr, Ident, JoinConstraint, JoinOperator, ObjectName,
    OrderBy, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, TableAlias, TableFactor,
    TableWithJoins, Value, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::names::{plain, uncast};
use crate::functions::ITEMS;
use crate::zone::call;

/// Lists in a statement that are read so: each is a query within the next, and hundreds of those are planned for minutes.
pub(super) const MOST: usize = 32;

/// Takes lists that stand among the tables into the tables that they are of, as long as `lists` are left.
pub(super) fn rewrite(query: &mut Query, lists: &mut usize) {
    let Query { body, order_by, .. } = query;
    selects(body, order_by.as_mut(), lists);
}

fn selects(body: &mut SetExpr, mut order_by: Option<&mut OrderBy>, lists: &mut usize) {
    match body {
        SetExpr::Select(select) => {
            while *lists > 0
                && let Some((list, of)) = next(select)
            {
                *lists -= 1;
                take(list, of, select, order_by.as_deref_mut());
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            selects(left, None, lists);
            selects(right, None, lists);
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
            let mut list = list_of(factor)?;
            if keeps_rows(tables, position)? {
                list.items = or_one_item(list.items);
            }
            if is_taken(&list, &select.projection) {
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

/// Whether the name of a list is also that of a column that it is of or of what is shown, or all of it is shown.
fn is_taken(list: &List, shown: &[SelectItem]) -> bool {
    let is_name = |name: &Ident| plain(name) == plain(&list.name);
    let of = visit_expressions(&list.items, |expression: &Expr| match expression {
        Expr::Identifier(name) if is_name(name) => ControlFlow::Break(()),
        Expr::CompoundIdentifier(parts) if parts.last().is_some_and(is_name) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let all = format!("{}.*", list.name);
    let shows = |item: &SelectItem| match item {
        // The item may be called as the list, by itself or as another type.
        SelectItem::ExprWithAlias { expr, alias } => {
            let is_item = matches!(uncast(expr), Expr::Identifier(name) if is_name(name));
            is_name(alias) && plain(alias) != plain(&list.column) && !is_item
        }
        other => other.to_string().eq_ignore_ascii_case(&all),
    };
    of.is_break() || shown.iter().any(shows)
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
        "json_array_elements_text" | "jsonb_array_elements_text" => {
            (Expr::Function(call(ITEMS, [list])), Ident::new("value"))
        }
        "json_object_keys" | "jsonb_object_keys" => (Expr::Function(call("json_object_keys", [list])), name.clone()),
        _ => return None,
    };
    let column = match alias.as_ref().map_or(&[][..], |alias| alias.columns.as_slice()) {
        [] => column,
        [column] => column.name.clone(),
        _ => return None,
    };
    Some(List { items, name, column })
}

/// Whether rows without an item stay; `None` where more than whose the list is tells which items belong to which rows.
fn keeps_rows(tables: &TableWithJoins, position: usize) -> Option<bool> {
    let is_true = |condition: &Expr| matches!(condition, Expr::Value(value) if value.value == Value::Boolean(true));
    match position.checked_sub(1).map(|join| &tables.joins[join].join_operator) {
        None => tables.joins.is_empty().then_some(false),
        Some(JoinOperator::CrossJoin(JoinConstraint::None)) => Some(false),
        Some(JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on))) => {
            is_true(on).then_some(false)
        }
        Some(JoinOperator::Left(JoinConstraint::On(on)) | JoinOperator::LeftOuter(JoinConstraint::On(on))) => {
            is_true(on).then_some(true)
        }
        Some(_) => None,
    }
}

/// The list, or one with NULL where it has no items.
fn or_one_item(list: Expr) -> Expr {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .try_with_sql("CASE WHEN cardinality(x) > 0 THEN x ELSE ARRAY[NULL] END")
        .and_then(|mut parser| parser.parse_expr());
    let Ok(mut whole) = parsed else { unreachable!("that is an expression") };
    let _ = visit_expressions_mut(&mut whole, |expression: &mut Expr| {
        if matches!(expression, Expr::Identifier(_)) {
            *expression = list.clone();
        }
        ControlFlow::<()>::Continue(())
    });
    whole
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
    // By all columns of one name, so that one more may be one of them.
    let by_name = |how: &JoinConstraint| *how == JoinConstraint::Natural;
    tables.joins.iter().enumerate().all(|(join, joined)| match &joined.join_operator {
        JoinOperator::Join(how) | JoinOperator::Inner(how) | JoinOperator::CrossJoin(how) => !by_name(how),
        JoinOperator::Left(how) | JoinOperator::LeftOuter(how) => join + 1 != position && !by_name(how),
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
    let mut names = Names { name: &list.name, column: &list.column, of: &of, subqueries: 0 };
    for item in &mut select.projection {
        match item {
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), options)
                if table.0.last().and_then(|name| name.as_ident()).is_some_and(|name| plain(name) == plain(&of)) =>
            {
                let mut without = match options.opt_exclude.take() {
                    Some(ExcludeSelectItem::Multiple(columns)) => columns,
                    Some(ExcludeSelectItem::Single(column)) => vec![column],
                    None => Vec::new(),
                };
                without.push(ObjectName::from(vec![Ident::new(plain(&list.column))]));
                options.opt_exclude = Some(ExcludeSelectItem::Multiple(without));
            }
            SelectItem::UnnamedExpr(Expr::Identifier(name)) if names.is_whole(name) => {
                let alias = name.clone();
                *item = SelectItem::ExprWithAlias { expr: Expr::Identifier(alias.clone()), alias };
            }
            _ => {}
        }
    }
    let _ = select.visit(&mut names);
    if let Some(order_by) = order_by {
        let _ = order_by.visit(&mut names);
    }
}

/// Reads the names of a list and of its column as what the table has now. Within subqueries they may be others'.
struct Names<'a> {
    name: &'a Ident,
    column: &'a Ident,
    of: &'a Ident,
    /// That the visit is in.
    subqueries: usize,
}

impl Names<'_> {
    /// Whether a name stands for the item: that of the list, where its column has another.
    fn is_whole(&self, name: &Ident) -> bool {
        plain(name) == plain(self.name) && plain(name) != plain(self.column)
    }

    fn now(&self) -> Expr {
        Expr::CompoundIdentifier(vec![self.of.clone(), self.column.clone()])
    }
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subqueries -= 1;
        ControlFlow::Continue(())
    }

    /// `t.tag[1]` begins with the name of a table, then that of its column.
    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if self.subqueries == 0
            && let Expr::CompoundFieldAccess { root, access_chain } = expression
            && let Expr::Identifier(table) = root.as_ref()
            && let Some(AccessExpr::Dot(Expr::Identifier(column))) = access_chain.first()
            && plain(table) == plain(self.name)
            && plain(column) == plain(self.column)
        {
            **root = self.now();
            access_chain.remove(0);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        match expression {
            _ if self.subqueries > 0 => {}
            // What is behind another point is a member of the item.
            Expr::CompoundIdentifier(parts)
                if plain(&parts[0]) == plain(self.name)
                    && parts.get(1).is_some_and(|column| plain(column) == plain(self.column)) =>
            {
                parts[0] = self.of.clone();
            }
            Expr::Identifier(name) if self.is_whole(name) => *expression = self.now(),
            _ => {}
        }
        ControlFlow::Continue(())
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

    fn all(query: &mut Query) {
        rewrite(query, &mut MOST.clone());
    }

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
                "SELECT t.*, u.y[1], (SELECT u.y FROM v AS u) FROM t, unnest(t.x) AS u (y)",
                "SELECT t.* EXCLUDE (y), t.y[1], (SELECT u.y FROM v AS u) \
                 FROM (SELECT *, unnest(t.x) AS y FROM t) AS t",
            ),
            (
                "SELECT e::int AS e FROM t, jsonb_array_elements(t.x) AS e",
                "SELECT t.value::INT AS e FROM (SELECT *, unnest(json_get_array(t.x)) AS value FROM t) AS t",
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
            (
                "SELECT t.b, x FROM t LEFT JOIN LATERAL unnest(a) AS x ON true",
                "SELECT t.b, x FROM (SELECT *, \
                 unnest(CASE WHEN cardinality(a) > 0 THEN a ELSE ARRAY[NULL] END) AS x FROM t) AS t",
            ),
            (
                "SELECT k, v FROM t, jsonb_object_keys(t.a) AS k, jsonb_array_elements_text(t.b) AS e (v)",
                "SELECT k, v FROM (SELECT *, unnest(tracewell_json_texts(t.b)) AS v FROM \
                 (SELECT *, unnest(json_object_keys(t.a)) AS k FROM t) AS t) AS t",
            ),
        ] {
            assert_eq!(rewritten_by(all, sql), expected);
        }
        for same in [
            "SELECT x FROM t, UNNEST(ARRAY[1, 2]) AS x",
            "SELECT x FROM t LEFT JOIN UNNEST(t.a) AS x ON x > 1",
            "SELECT x FROM s LEFT JOIN t ON s.a = t.a LEFT JOIN UNNEST(t.b) AS x ON true",
            "SELECT x FROM s LEFT JOIN t ON s.a = t.a CROSS JOIN UNNEST(t.b) AS x",
            "SELECT x FROM s, t, UNNEST(b) AS x",
            "SELECT x.* FROM t, UNNEST(t.a) AS x",
            "SELECT x FROM s NATURAL JOIN t CROSS JOIN UNNEST(t.a) AS x",
            "SELECT upper(x) AS x FROM t, UNNEST(t.a) AS x (y) GROUP BY x",
            "SELECT a FROM t, UNNEST(t.a) AS a (x)",
        ] {
            assert_eq!(rewritten_by(all, same), same);
        }
    }

    #[test]
    fn no_more_lists_are_read_than_are_planned_in_a_moment() {
        let lists: String = (0..=MOST).map(|list| format!(", unnest(t.a) AS x{list}")).collect();
        let sql = format!("SELECT 1 FROM t{lists} UNION ALL SELECT x FROM t, unnest(t.a) AS x");
        assert_eq!(rewritten_by(all, &sql).matches("(SELECT *, unnest(t.a) AS ").count(), MOST);
    }
}
