//! `SELECT row_to_json(s) FROM (SELECT a, b FROM t) AS s`: to PostgreSQL the name of a table is a row of it. Where the
//! columns are written in the query, that is JSON of them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select, SelectItem, SetExpr,
    TableFactor, TableWithJoins, Value, VisitMut, VisitorMut, With,
};

use super::copies::Copies;
use super::gathered::{column, part};
use super::names::plain;
use crate::zone::{call, value};

const OF_ROWS: [&str; 5] = ["json_agg", "jsonb_agg", "row_to_json", "to_json", "to_jsonb"];

/// Reads the name of the one subquery, or of the one part of `WITH`, that a query is from as an object of its columns.
/// Breaks where that would copy too much.
pub(super) fn rewrite(query: &mut Query, copies: &mut Copies) -> ControlFlow<()> {
    let Query { with, body, .. } = query;
    let SetExpr::Select(select) = body.as_mut() else { return ControlFlow::Continue(()) };
    let Some((name, columns)) = source(select, with.as_ref()) else { return ControlFlow::Continue(()) };
    select.projection.visit(&mut Rows { name, columns, copies, subqueries: 0 })
}

/// Reads rows outside of subqueries: within them the name may be another's.
struct Rows<'a> {
    name: Ident,
    columns: Vec<Ident>,
    copies: &'a mut Copies,
    /// That the visit is in.
    subqueries: usize,
}

impl VisitorMut for Rows<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subqueries -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if self.subqueries == 0
            && let Expr::Function(function) = expression
            && OF_ROWS.iter().any(|known| function.name.to_string().eq_ignore_ascii_case(known))
            && let FunctionArguments::List(list) = &mut function.args
            && let [argument] = list.args.as_mut_slice()
            && let Some(row) = value(argument)
            && *row == Expr::Identifier(self.name.clone())
        {
            self.copies.take(self.columns.len())?;
            *row = Expr::Function(object(&self.name, &self.columns));
        }
        ControlFlow::Continue(())
    }
}

/// What the source of a selection is called, and its columns, none of which is called so.
fn source(select: &Select, with: Option<&With>) -> Option<(Ident, Vec<Ident>)> {
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return None };
    let (name, query) = match relation {
        TableFactor::Derived { subquery, alias: Some(alias), .. } if alias.columns.is_empty() => {
            (alias.name.clone(), subquery.as_ref())
        }
        TableFactor::Table { name, alias: None, args: None, .. } => {
            (name.0.last()?.as_ident()?.clone(), part(with?, name)?)
        }
        _ => return None,
    };
    let SetExpr::Select(inner) = query.body.as_ref() else { return None };
    let called = |item: &SelectItem| match column(item) {
        Some(Expr::Identifier(column)) => Some(column),
        _ => None,
    };
    let columns = inner.projection.iter().map(called).collect::<Option<Vec<Ident>>>()?;
    (joins.is_empty() && !columns.contains(&name)).then_some((name, columns))
}

/// `json_build_object('a', s.a, …)`
fn object(name: &Ident, columns: &[Ident]) -> Function {
    let mut object = call("json_build_object", []);
    if let FunctionArguments::List(list) = &mut object.args {
        let members = columns.iter().flat_map(|column| {
            let member = Expr::CompoundIdentifier(vec![name.clone(), column.clone()]);
            [Expr::Value(Value::SingleQuotedString(plain(column)).into()), member]
        });
        list.args = members.map(|member| FunctionArg::Unnamed(FunctionArgExpr::Expr(member))).collect();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::forms::tests::rewritten_by;
    use super::*;

    fn whole(sql: &str) -> String {
        rewritten_by(|query| assert!(rewrite(query, &mut Copies::default()).is_continue()), sql)
    }

    #[test]
    fn a_row_is_an_object_of_its_columns() {
        for (sql, expected) in [
            (
                "SELECT row_to_json(s) FROM (SELECT t.a, 1 AS \"B\" FROM t) AS s",
                "SELECT row_to_json(json_build_object('a', s.a, 'B', s.\"B\")) \
                 FROM (SELECT t.a, 1 AS \"B\" FROM t) AS s",
            ),
            (
                "WITH s AS (SELECT a FROM t) SELECT json_agg(s ORDER BY a) FROM s",
                "WITH s AS (SELECT a FROM t) SELECT json_agg(json_build_object('a', s.a) ORDER BY a) FROM s",
            ),
        ] {
            assert_eq!(whole(sql), expected);
        }
        for same in [
            "SELECT to_json(s) FROM (SELECT s FROM t) AS s",
            "SELECT to_json(a), upper(s) FROM (SELECT a FROM t) AS s",
            "SELECT to_json(s) FROM (SELECT * FROM t) AS s",
            "SELECT to_json(s) FROM u, (SELECT a FROM t) AS s",
            "SELECT (SELECT to_json(s) FROM u AS s) FROM (SELECT a FROM t) AS s",
        ] {
            assert_eq!(whole(same), same);
        }
    }
}
