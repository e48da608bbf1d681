//! What the columns of an answer are called, as PostgreSQL has it: `count` for `count(*)`, `x` for `x::int`, `?column?`
//! for `1`. Where two columns would have one name they are called as they are written: an object of JSON has each name
//! once.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, DataType, Distinct, Expr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem,
    SetExpr, Statement, TimezoneInfo, TrimWhereField, visit_expressions,
};

use super::names::{is_column, plain, shows_all};

const UNNAMED: &str = "?column?";

/// Gives the columns of a query's answer their names.
pub(super) fn rewrite(statement: &mut Statement) {
    if let Statement::Query(query) = statement {
        of_query(query);
    }
}

fn of_query(query: &mut Query) {
    let Query { body, order_by, .. } = query;
    of_body(body, order_by.as_mut());
}

fn of_body(body: &mut SetExpr, order_by: Option<&mut OrderBy>) {
    match body {
        SetExpr::Select(select) => of_select(select, order_by),
        SetExpr::Query(query) => of_query(query),
        // The first of several tells the names.
        SetExpr::SetOperation { left, .. } => of_body(left, None),
        _ => {}
    }
}

fn of_select(select: &mut Select, order_by: Option<&mut OrderBy>) {
    let ordered: Vec<&mut Expr> = match order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(all), .. }) => all.iter_mut().map(|by| &mut by.expr).collect(),
        _ => Vec::new(),
    };
    // What a selection is `DISTINCT ON` is compared with what its rows are ordered by.
    let as_it_is = matches!(select.distinct, Some(Distinct::On(_)));
    let aliases = aliases(&select.projection, &names_within(&ordered, select, as_it_is));
    let mut shown = HashMap::new();
    for (item, alias) in select.projection.iter_mut().zip(aliases) {
        let (expr, alias) = match (&*item, alias) {
            (SelectItem::UnnamedExpr(expr), Some(alias)) => (expr.clone(), alias),
            (SelectItem::ExprWithAlias { expr, alias }, None) if !is_column(expr) => (expr.clone(), alias.clone()),
            _ => continue,
        };
        if !ordered.is_empty() {
            shown.entry(expr.to_string()).or_insert_with(|| alias.clone());
        }
        *item = SelectItem::ExprWithAlias { expr, alias };
    }
    for by in ordered.into_iter().filter(|by| !as_it_is && is_expression(by)) {
        if let Some(alias) = shown.get(&by.to_string()) {
            *by = Expr::Identifier(alias.clone());
        }
    }
}

/// The names that items need.
fn aliases(items: &[SelectItem], within: &HashSet<String>) -> Vec<Option<Ident>> {
    let expressions: Vec<Option<&Expr>> = items.iter().map(unnamed).collect();
    let name = |expression: &Expr| name_of(expression).unwrap_or_else(|| UNNAMED.to_owned());
    let mut counts: HashMap<String, usize> = HashMap::new();
    for expression in expressions.iter().copied().flatten() {
        *counts.entry(name(expression)).or_default() += 1;
    }
    let given = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(plain(alias)),
        _ => None,
    };
    let mut taken: HashSet<String> = items.iter().filter_map(given).collect();
    // A column keeps its name, the first of several at least.
    let kept: Vec<bool> = expressions
        .iter()
        .map(|expression| expression.is_some_and(|column| is_column(column) && taken.insert(name(column))))
        .collect();
    // With its table it is a name too.
    let with_table = expressions.iter().zip(&kept).filter_map(|(column, kept)| column.filter(|_| *kept));
    taken.extend(with_table.map(ToString::to_string));
    // What the columns of a table are called is not known here; and what is unnested stands beside them.
    let all = shows_all(items);
    let in_rows = items.iter().any(gives_rows);
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut alias = |expression: &Expr| {
        let (name, written) = (name(expression), expression.to_string());
        let is_one = counts.get(&name) == Some(&1) && !within.contains(&name);
        let may = is_one && !all && !(in_rows && matches!(expression, Expr::Cast { .. }));
        let last = numbers.entry(written.clone()).or_insert(1);
        let numbered = std::iter::from_fn(|| {
            *last += 1;
            Some(format!("{written}_{last}"))
        });
        let mut wanted = may.then_some(name).into_iter().chain([written.clone()]).chain(numbered);
        wanted.find(|name| taken.insert(name.clone())).map(called)
    };
    let expressions = expressions.into_iter().zip(kept);
    expressions.map(|(expression, kept)| expression.filter(|_| !kept).and_then(&mut alias)).collect()
}

fn unnamed(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expression) => Some(expression),
        _ => None,
    }
}

/// Whether rows are ordered by what an expression gives. A name is that of an item or of a column, a number a position.
fn is_expression(by: &Expr) -> bool {
    !matches!(by, Expr::Identifier(_) | Expr::Value(_))
}

/// Whether an item gives several rows for one.
fn gives_rows(item: &SelectItem) -> bool {
    let item = item.to_string().to_ascii_lowercase();
    ["unnest(", "generate_series(", "_array_elements(", "jsonb_object_keys("]
        .iter()
        .any(|function| item.contains(function))
}

/// The columns that rows are ordered by within expressions, and that groups are chosen by. There they are those of the
/// tables, unless an item has such a name.
fn names_within(ordered: &[&mut Expr], select: &Select, as_it_is: bool) -> HashSet<String> {
    let items = select.projection.iter().filter_map(unnamed).filter(|_| !as_it_is && !ordered.is_empty());
    let shown: HashSet<String> = items.map(ToString::to_string).collect();
    let ordered = ordered.iter().map(|by| &**by).filter(|by| is_expression(by) && !shown.contains(&(*by).to_string()));
    let mut names = HashSet::new();
    for within in ordered.chain(&select.having).chain(&select.qualify) {
        let _ = visit_expressions(within, |inner: &Expr| {
            names.extend(Some(inner).filter(|inner| is_column(inner)).and_then(name_of));
            ControlFlow::<()>::Continue(())
        });
    }
    names
}

/// A name as it would be written.
fn called(name: String) -> Ident {
    let letter = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    if name.starts_with(letter) && name.chars().all(|other| letter(other) || other.is_ascii_digit()) {
        return Ident::new(name);
    }
    Ident::with_quote('"', name)
}

/// What PostgreSQL calls an expression; `None` where it has no name for it.
fn name_of(expression: &Expr) -> Option<String> {
    let name = match expression {
        Expr::Identifier(name) => return Some(plain(name)),
        Expr::CompoundIdentifier(names) => return names.last().map(plain),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return name_of(inner),
        Expr::Cast { expr, data_type, .. } => return name_of(expr).or_else(|| Some(type_name(data_type))),
        Expr::TypedString(typed) => return Some(type_name(&typed.data_type)),
        Expr::Function(function) => return function.name.0.last()?.as_ident().map(plain),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let member = |access: &AccessExpr| match access {
                AccessExpr::Dot(Expr::Identifier(name)) => Some(plain(name)),
                _ => None,
            };
            return access_chain.iter().rev().find_map(member).or_else(|| name_of(root));
        }
        Expr::Subquery(query) => {
            let SetExpr::Select(select) = query.body.as_ref() else { return None };
            return match select.projection.as_slice() {
                [SelectItem::UnnamedExpr(expression)] => name_of(expression),
                [SelectItem::ExprWithAlias { alias, .. }] => Some(plain(alias)),
                _ => None,
            };
        }
        Expr::Case { else_result, .. } => {
            return else_result.as_deref().and_then(name_of).or_else(|| Some("case".to_owned()));
        }
        Expr::Array(_) => "array",
        Expr::Tuple(_) => "row",
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Substring { .. } => "substring",
        Expr::Position { .. } => "position",
        Expr::Overlay { .. } => "overlay",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::Interval(_) => "interval",
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Trim { trim_where: Some(TrimWhereField::Leading), .. } => "ltrim",
        Expr::Trim { trim_where: Some(TrimWhereField::Trailing), .. } => "rtrim",
        Expr::Trim { .. } => "btrim",
        _ => return None,
    };
    Some(name.to_owned())
}

/// What PostgreSQL calls a type.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::SmallInt(_) => "int2",
        DataType::Int(_) | DataType::Integer(_) => "int4",
        DataType::BigInt(_) => "int8",
        DataType::Real => "float4",
        DataType::DoublePrecision | DataType::Double(_) | DataType::Float(_) => "float8",
        DataType::Boolean => "bool",
        DataType::Decimal(_) | DataType::Dec(_) => "numeric",
        DataType::Char(_) | DataType::Character(_) => "bpchar",
        DataType::CharacterVarying(_) => "varchar",
        DataType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => "timestamptz",
        DataType::Time(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => "timetz",
        DataType::Array(ArrayElemTypeDef::SquareBracket(of, _)) => return type_name(of),
        other => {
            let name = other.to_string().to_lowercase();
            let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
            let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(name.len());
            return name[..end].to_owned();
        }
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn named(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("it is SQL");
        rewrite(&mut statements[0]);
        statements[0].to_string()
    }

    /// The names are those that PostgreSQL 15 shows.
    #[test]
    fn columns_are_called_as_postgresql_calls_them() {
        for (expression, name) in [
            ("1", "?column?"),
            ("a + 1", "?column?"),
            ("a IS NULL", "?column?"),
            ("count(*)", "count"),
            ("SUM(a) OVER ()", "sum"),
            ("pg_catalog.version()", "version"),
            ("CAST(a AS BIGINT)", "a"),
            ("t.\"A\"::TEXT", "A"),
            ("(a + 1)::TEXT", "text"),
            ("1::INT", "int4"),
            ("'{}'::INT[]", "int4"),
            ("lower(a)::VARCHAR(3)", "lower"),
            ("DATE '2026-01-01'", "date"),
            ("CASE WHEN a THEN 1 END", "case"),
            ("CASE WHEN a THEN 1 ELSE b END", "b"),
            ("ARRAY[1]", "array"),
            ("a[1]", "a"),
            ("EXTRACT(YEAR FROM a)", "extract"),
            ("TRIM(a)", "btrim"),
            ("now() AT TIME ZONE 'UTC'", "timezone"),
            ("(SELECT max(a) FROM t)", "max"),
            ("EXISTS (SELECT 1)", "exists"),
        ] {
            let expected = format!("SELECT {expression} AS {}", called(name.to_owned()));
            assert_eq!(named(&format!("SELECT {expression}")), expected);
        }
    }

    #[test]
    fn no_two_columns_have_one_name() {
        for (sql, expected) in [
            ("SELECT 1, 2", "SELECT 1 AS \"1\", 2 AS \"2\""),
            ("SELECT 1, 1", "SELECT 1 AS \"1\", 1 AS \"1_2\""),
            ("SELECT sum(a), sum(b), max(a)", "SELECT sum(a) AS \"sum(a)\", sum(b) AS \"sum(b)\", max(a) AS max"),
            ("SELECT a, a::TEXT FROM t", "SELECT a, a::TEXT AS \"a::TEXT\" FROM t"),
            ("SELECT t.a, u.a FROM t, u", "SELECT t.a, u.a AS \"u.a\" FROM t, u"),
            ("SELECT t.a, t.a FROM t", "SELECT t.a, t.a AS \"t.a_2\" FROM t"),
            ("SELECT count(*), a AS count FROM t", "SELECT count(*) AS \"count(*)\", a AS count FROM t"),
            ("SELECT *, lower(a) FROM t", "SELECT *, lower(a) AS \"lower(a)\" FROM t"),
            ("SELECT unnest(a), b::TEXT", "SELECT unnest(a) AS unnest, b::TEXT AS \"b::TEXT\""),
            ("SELECT 1, 1, 1", "SELECT 1 AS \"1\", 1 AS \"1_2\", 1 AS \"1_3\""),
        ] {
            assert_eq!(named(sql), expected);
        }
    }

    #[test]
    fn rows_are_ordered_as_before() {
        for (sql, expected) in [
            (
                "SELECT DISTINCT lower(a) FROM t ORDER BY lower(a) DESC",
                "SELECT DISTINCT lower(a) AS lower FROM t ORDER BY lower DESC",
            ),
            // By the item, not by what its expression makes of it once more.
            ("SELECT -a AS a FROM t ORDER BY -a", "SELECT -a AS a FROM t ORDER BY a"),
            ("SELECT a::DATE FROM t ORDER BY a", "SELECT a::DATE AS a FROM t ORDER BY a"),
            (
                "SELECT a::DATE FROM t ORDER BY date_trunc('hour', a)",
                "SELECT a::DATE AS \"a::DATE\" FROM t ORDER BY date_trunc('hour', a)",
            ),
            ("SELECT 2, a FROM t ORDER BY 2", "SELECT 2 AS \"?column?\", a FROM t ORDER BY 2"),
            ("SELECT a::DATE FROM t ORDER BY t.a", "SELECT a::DATE AS \"a::DATE\" FROM t ORDER BY t.a"),
            (
                "SELECT DISTINCT ON (lower(a)) lower(a) FROM t ORDER BY lower(a)",
                "SELECT DISTINCT ON (lower(a)) lower(a) AS lower FROM t ORDER BY lower(a)",
            ),
            ("SELECT a + 1 AS b, a + 1 AS c FROM t ORDER BY a + 1", "SELECT a + 1 AS b, a + 1 AS c FROM t ORDER BY b"),
            // Groups are chosen by the column, not by what is shown of it.
            (
                "SELECT a::DATE, count(*) FROM t GROUP BY a HAVING a > 'x'",
                "SELECT a::DATE AS \"a::DATE\", count(*) AS count FROM t GROUP BY a HAVING a > 'x'",
            ),
            ("SELECT 1 UNION (SELECT max(a) FROM t)", "SELECT 1 AS \"?column?\" UNION (SELECT max(a) FROM t)"),
        ] {
            assert_eq!(named(sql), expected);
        }
        for same in ["SELECT a, t.b, a + 1 AS c FROM t ORDER BY b", "SELECT * FROM (SELECT count(*) FROM t) AS s"] {
            assert_eq!(named(same), same);
        }
    }
}
