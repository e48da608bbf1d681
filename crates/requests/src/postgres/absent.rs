//! Questions about what there is none of here: languages, default privileges, event triggers, composite types.
//!
//! Clients ask them in SQL that only PostgreSQL understands. The answer is known without it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value, ValueWithSpan, visit_expressions,
};

/// Tables of things that are not here, and that psql's commands begin with.
const OF_NOTHING: [&str; 15] = [
    "pg_catalog.pg_language",
    "pg_catalog.pg_default_acl",
    "pg_catalog.pg_db_role_setting",
    "pg_catalog.pg_event_trigger",
    "pg_catalog.pg_statistic_ext",
    "pg_catalog.pg_ts_config",
    "pg_catalog.pg_conversion",
    "pg_catalog.pg_collation",
    "pg_catalog.pg_ts_parser",
    "pg_catalog.pg_ts_template",
    "pg_catalog.pg_opfamily",
    "pg_catalog.pg_amop",
    "pg_catalog.pg_amproc",
    "pg_catalog.pg_user_mappings",
    "pg_catalog.pg_largeobject_metadata",
];

/// Tables and columns that are not here, and without which these commands do not ask.
const MISSING: [&str; 2] = ["pg_partition_tree", "pg_parameter_acl"];
const MISSING_COLUMNS: [&str; 2] = ["tableoid", "boot_val"];

/// Makes a question about nothing one that has no rows, with the same columns.
pub fn answer(statement: &mut Statement) {
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
        TableFactor::Table { name, .. } => {
            let name = name.to_string();
            OF_NOTHING.contains(&name.as_str()) || name.starts_with("pg_catalog.") && needs_what_is_missing(select)
        }
        // psql's `\dd`: comments on what is no table and no column.
        TableFactor::Derived { subquery, .. } => subquery.to_string().contains("pgc.tableoid"),
        _ => false,
    }
}

fn needs_what_is_missing(select: &Select) -> bool {
    let of_column = visit_expressions(select, |expression: &Expr| match expression {
        Expr::CompoundIdentifier(path) if path.last().is_some_and(|last| MISSING_COLUMNS.contains(&&*last.value)) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    of_column.is_break() || select.from.iter().any(|table| MISSING.iter().any(|name| table.to_string().contains(name)))
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
#[must_use]
pub fn types_of_asyncpg(sql: &str) -> Option<&'static str> {
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
