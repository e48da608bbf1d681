//! Questions about what there is none of here: languages, default privileges, event triggers, composite types.
//!
//! Clients ask them in SQL that only PostgreSQL understands. The answer is known without it.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value, ValueWithSpan,
};

/// Tables of things that are not here, and that psql's commands begin with.
const OF_NOTHING: [&str; 7] = [
    "pg_catalog.pg_language",
    "pg_catalog.pg_default_acl",
    "pg_catalog.pg_db_role_setting",
    "pg_catalog.pg_event_trigger",
    "pg_catalog.pg_statistic_ext",
    "pg_catalog.pg_ts_config",
    "pg_catalog.pg_conversion",
];

/// Makes a question about nothing one that has no rows, with the same columns.
pub(super) fn answer(statement: &mut Statement) {
    if let Statement::Query(query) = statement
        && let SetExpr::Select(select) = query.body.as_mut()
        && is_of_nothing(select)
        && let Some(names) = names(select)
    {
        let null = || Expr::Value(ValueWithSpan::from(Value::Null));
        let named = |alias: Ident| SelectItem::ExprWithAlias { expr: null(), alias };
        select.projection = names.into_iter().map(named).collect();
        select.from.clear();
        select.distinct = None;
        select.selection = Some(Expr::Value(Value::Boolean(false).into()));
        let Query { order_by, with, .. } = query.as_mut();
        (*order_by, *with) = (None, None);
    }
}

fn is_of_nothing(select: &Select) -> bool {
    let Some(first) = select.from.first() else { return false };
    match &first.relation {
        TableFactor::Table { name, .. } => OF_NOTHING.contains(&name.to_string().as_str()),
        // psql's `\dd`: comments on what is no table and no column.
        TableFactor::Derived { subquery, .. } => subquery.to_string().contains("pgc.tableoid"),
        _ => false,
    }
}

/// What the columns are called, where all have a name.
fn names(select: &Select) -> Option<Vec<Ident>> {
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(path)) => path.last().cloned(),
        _ => None,
    };
    select.projection.iter().map(name).collect()
}

/// What asyncpg asks about types that it has no codec for, of which arrays are the only ones here. It has codecs for the
/// types of this question alone, so they have to be these: its parameter is declared `oid[]`, and no column is another
/// array than of text.
pub(in super::super) fn types_of_asyncpg(sql: &str) -> Option<&'static str> {
    sql.contains("WITH RECURSIVE typeinfo_tree(").then_some(
        "SELECT t.oid AS oid, 'pg_catalog' AS ns, t.typname AS name, t.typtype AS kind, CAST(NULL AS oid) AS basetype,
             t.typelem AS elemtype, e.typdelim AS elemdelim, CAST(NULL AS oid) AS range_subtype,
             CAST(NULL AS text[]) AS attrtypoids, CAST(NULL AS text[]) AS attrnames, 0 AS depth,
             CAST(NULL AS text) AS basetype_name, e.typname AS elemtype_name, CAST(NULL AS text) AS range_subtype_name
         FROM pg_catalog.pg_type AS t
         LEFT JOIN pg_catalog.pg_type AS e ON t.typlen = -1 AND t.typelem <> 0 AND t.typelem = e.oid
         WHERE t.oid = ANY($1::oid[])",
    )
}
