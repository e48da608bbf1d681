//! `FROM generate_series(…) AS g` and `FROM unnest(…) AS x`: to PostgreSQL the name is that of the column too. To
//! DataFusion the column of a series is `value`, whatever the series is called.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArg, FunctionArguments, Ident, ObjectName, OrderBy, Query, Select, SelectItem,
    SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TypedString, visit_expressions_mut,
};

use crate::functions::ITEMS;
use crate::zone::{call, literal, value};

const SERIES: [&str; 2] = ["generate_series", "range"];
const COLUMN: &str = "value";

/// Functions that give a row for each item, and those that give a list of all.
const ROWS: [(&str, &str); 7] = [
    ("generate_series", "generate_series"),
    ("json_array_elements", "json_get_array"),
    ("json_array_elements_text", ITEMS),
    ("jsonb_array_elements", "json_get_array"),
    ("jsonb_array_elements_text", ITEMS),
    ("jsonb_object_keys", "json_object_keys"),
    ("string_to_table", "string_to_array"),
];

/// Reads the name of a series as that of its column.
pub(super) fn rewrite(query: &mut Query) {
    let Query { body, order_by, .. } = query;
    selects(body, order_by.as_mut());
}

/// Reads the texts beside a time of a series as times too, and its step as a span: `generate_series('2026-01-01'::date,
/// '2026-01-31', '1 day')`.
fn typed(args: &mut [FunctionArg]) {
    let [begin, end, step] = args else { return };
    let (Some(begin), Some(end), Some(step)) = (value(begin), value(end), value(step)) else { return };
    let of_time = [&*begin, &*end].into_iter().find_map(time_type).cloned();
    let span = DataType::Interval { fields: None, precision: None };
    for (argument, data_type) in [(begin, of_time.clone()), (end, of_time), (step, Some(span))] {
        if let Some(data_type) = data_type.filter(|_| literal(argument).is_some()) {
            let expr = Box::new(argument.clone());
            *argument = Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
        }
    }
}

/// The type of a day or a time that is written.
fn time_type(expression: &Expr) -> Option<&DataType> {
    let (Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. })) = expression else {
        return None;
    };
    matches!(data_type, DataType::Date | DataType::Timestamp(..)).then_some(data_type)
}

/// `SELECT generate_series(1, 3)` has a row for each number; to DataFusion it is one list.
pub(super) fn rows(select: &mut Select) {
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }) = item else {
            continue;
        };
        let known = unnested(expression);
        if let (SelectItem::UnnamedExpr(expression), Some(known)) = (&*item, known) {
            *item = SelectItem::ExprWithAlias { expr: expression.clone(), alias: Ident::new(known) };
        }
    }
}

/// Does what is done to the list of such a function to each of its items; gives the name of the function, where that,
/// or a cast of it, is all.
fn unnested(expression: &mut Expr) -> Option<&'static str> {
    match expression {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => unnested(expr),
        Expr::UnaryOp { expr, .. } => {
            unnested(expr);
            None
        }
        Expr::BinaryOp { left, right, .. } => {
            unnested(left);
            unnested(right);
            None
        }
        Expr::Function(function) => {
            let name = function.name.to_string();
            let (known, ours) = ROWS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name))?;
            let mut list = function.clone();
            if let FunctionArguments::List(given) = &mut list.args
                && is_series(&list.name)
            {
                typed(&mut given.args);
            }
            list.name = ObjectName::from(vec![Ident::new(*ours)]);
            *expression = Expr::Function(call("unnest", [Expr::Function(list)]));
            Some(*known)
        }
        _ => None,
    }
}

fn selects(body: &mut SetExpr, order_by: Option<&mut OrderBy>) {
    match body {
        SetExpr::Select(select) => named(select, order_by),
        SetExpr::SetOperation { left, right, .. } => {
            selects(left, None);
            selects(right, None);
        }
        _ => {}
    }
}

fn named(select: &mut Select, order_by: Option<&mut OrderBy>) {
    let tables = select.from.iter_mut().flat_map(|tables| {
        std::iter::once(&mut tables.relation).chain(tables.joins.iter_mut().map(|join| &mut join.relation))
    });
    let names: Vec<Ident> = tables.filter_map(of_series).collect();
    if names.is_empty() {
        return;
    }
    let mut shown = false;
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) = item
            && let Some(alias) = goes_by(expression).filter(|name| names.contains(name)).cloned()
        {
            *item = SelectItem::ExprWithAlias { expr: expression.clone(), alias };
        }
        shown |= matches!(item, SelectItem::ExprWithAlias { alias, .. } if names.contains(alias));
    }
    let column = |expression: &mut Expr| {
        if let Expr::Identifier(name) = expression
            && names.contains(name)
        {
            *expression = Expr::CompoundIdentifier(vec![name.clone(), Ident::new(COLUMN)]);
        }
        ControlFlow::<()>::Continue(())
    };
    let _ = visit_expressions_mut(select, column);
    // Rows are ordered by what is shown under a name, where there is such.
    if let Some(order_by) = order_by.filter(|_| !shown) {
        let _ = visit_expressions_mut(order_by, column);
    }
}

/// The name that PostgreSQL shows a column under, or a cast of one.
fn goes_by(expression: &Expr) -> Option<&Ident> {
    match expression {
        Expr::Identifier(name) => Some(name),
        Expr::Cast { expr, .. } => goes_by(expr),
        _ => None,
    }
}

/// The name of a series whose column has none of its own. That of a list is given to its column.
fn of_series(table: &mut TableFactor) -> Option<Ident> {
    if let Some((list, item)) = list_of(table) {
        *table = list;
        return item;
    }
    if let TableFactor::Table { name, args: Some(given), .. } = table
        && is_series(name)
    {
        typed(&mut given.args);
    }
    match table {
        TableFactor::Table { name, alias: Some(alias), args: Some(_), .. } if alias.columns.is_empty() => {
            is_series(name).then(|| alias.name.clone())
        }
        TableFactor::UNNEST { alias: Some(alias), array_exprs, .. } if array_exprs.len() == 1 => {
            if alias.columns.is_empty() {
                alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None });
            }
            None
        }
        _ => None,
    }
}

/// `jsonb_array_elements(…)` among the tables as `UNNEST` of its list, and the name that stands for its column.
fn list_of(table: &TableFactor) -> Option<(TableFactor, Option<Ident>)> {
    let TableFactor::Table { name, alias, args: Some(given), with_ordinality: false, .. } = table else { return None };
    let function = name.to_string();
    let (known, ours) = ROWS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&function))?;
    if is_series(name) {
        return None;
    }
    let mut list = call(ours, []);
    if let FunctionArguments::List(arguments) = &mut list.args {
        arguments.args.clone_from(&given.args);
    }
    let unnamed = || TableAlias { explicit: true, name: Ident::new(*known), columns: Vec::new(), at: None };
    let mut alias = alias.clone().unwrap_or_else(unnamed);
    let mut item = None;
    if alias.columns.is_empty() {
        let has_own = known.contains("elements");
        let column = if has_own { Ident::new(COLUMN) } else { alias.name.clone() };
        item = has_own.then(|| alias.name.clone());
        alias.columns.push(TableAliasColumnDef { name: column, data_type: None });
    }
    let list = TableFactor::UNNEST {
        alias: Some(alias),
        array_exprs: vec![Expr::Function(list)],
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    };
    Some((list, item))
}

fn is_series(name: &ObjectName) -> bool {
    let name = name.to_string();
    SERIES.iter().any(|known| known.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::{rewritten, rewritten_by};
    use super::*;

    #[test]
    fn a_series_that_is_selected_has_rows() {
        assert_eq!(
            rewritten("SELECT generate_series(1, 3), generate_series(1, 2) AS n, cardinality(generate_series(1, 2))"),
            "SELECT unnest(generate_series(1, 3)) AS generate_series, unnest(generate_series(1, 2)) AS n, \
             cardinality(generate_series(1, 2))"
        );
        assert_eq!(
            rewritten("SELECT jsonb_array_elements(a), jsonb_object_keys(a) AS key"),
            "SELECT unnest(json_get_array(a)) AS jsonb_array_elements, unnest(json_object_keys(a)) AS key"
        );
        assert_eq!(
            rewritten("SELECT generate_series(1, 3)::text, 1 + generate_series(1, 2) AS n"),
            "SELECT unnest(generate_series(1, 3))::TEXT AS generate_series, 1 + unnest(generate_series(1, 2)) AS n"
        );
    }

    #[test]
    fn the_name_of_a_series_is_that_of_its_column() {
        for (sql, expected) in [
            ("SELECT g FROM generate_series(1, 3) AS g", "SELECT g.value AS g FROM generate_series(1, 3) AS g"),
            (
                "SELECT g + 1 AS n FROM a JOIN generate_series(1, 3) AS g ON g = a.x GROUP BY g ORDER BY g",
                "SELECT g.value + 1 AS n FROM a JOIN generate_series(1, 3) AS g ON g.value = a.x \
                 GROUP BY g.value ORDER BY g.value",
            ),
            (
                "SELECT g::date FROM generate_series(1, 3) AS g ORDER BY g",
                "SELECT g.value::DATE AS g FROM generate_series(1, 3) AS g ORDER BY g",
            ),
            (
                "SELECT 1 FROM generate_series('2026-01-01'::TIMESTAMP, '2026-01-02', '1 hour') AS g (x)",
                "SELECT 1 FROM generate_series('2026-01-01'::TIMESTAMP, CAST('2026-01-02' AS TIMESTAMP), \
                 CAST('1 hour' AS INTERVAL)) AS g (x)",
            ),
            ("SELECT x FROM unnest(a) AS x", "SELECT x FROM UNNEST(a) AS x (x)"),
            (
                "SELECT e ->> 'a' FROM jsonb_array_elements('[]') AS e",
                "SELECT e.value ->> 'a' FROM UNNEST(json_get_array('[]')) AS e (value)",
            ),
            (
                "SELECT k FROM jsonb_object_keys('{}') AS k, string_to_table('a,b', ',') AS s (t)",
                "SELECT k FROM UNNEST(json_object_keys('{}')) AS k (k), UNNEST(string_to_array('a,b', ',')) AS s (t)",
            ),
        ] {
            assert_eq!(rewritten_by(rewrite, sql), expected);
        }
        for same in [
            "SELECT n FROM generate_series(1, 3) AS g (n)",
            "SELECT g.value FROM generate_series(1, 3) AS g",
            "SELECT g FROM spans AS g",
        ] {
            assert_eq!(rewritten_by(rewrite, same), same);
        }
    }
}
