//! Parts of SQL that DataFusion reads and then passes over in silence: the answer would be one to another question.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, Query, Select, SetExpr, SetOperator, SetQuantifier, Spanned, Statement,
    TableFactor, TableWithJoins, Visit, Visitor,
};

use crate::error::{Location, QueryError, SqlError, SqlErrorKind};
use crate::zone::literal;

/// Refuses a statement that asks for what would not be done.
pub(super) fn refuse(statement: &Statement) -> Result<(), QueryError> {
    match statement.visit(&mut PassedOver) {
        ControlFlow::Break(PassedBy { what, hint, at }) => Err(QueryError::Sql(SqlError {
            hint: Some(hint.to_owned()),
            at,
            ..SqlError::new(SqlErrorKind::Unsupported, format!("{what} is not supported"))
        })),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct PassedOver;

/// A part of a statement that would be passed over.
struct PassedBy {
    what: &'static str,
    /// What can be asked instead.
    hint: &'static str,
    at: Option<Location>,
}

fn no(what: &'static str, hint: &'static str, part: &impl Spanned) -> ControlFlow<PassedBy> {
    let start = part.span().start;
    let at = (start.line > 0).then_some(Location { line: start.line, column: start.column });
    ControlFlow::Break(PassedBy { what, hint, at })
}

impl Visitor for PassedOver {
    type Break = PassedBy;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<PassedBy> {
        counted(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<PassedBy> {
        select.from.iter().try_for_each(joined)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<PassedBy> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                no("TABLESAMPLE", "`WHERE random() < 0.01` takes about one row of a hundred", factor)
            }
            TableFactor::NestedJoin { table_with_joins, .. } => joined(table_with_joins),
            TableFactor::Table { with_ordinality: true, .. } => {
                no("WITH ORDINALITY", "`row_number() OVER ()` counts rows", factor)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<PassedBy> {
        match expression {
            Expr::SimilarTo { pattern, escape_char, .. } if escape_char.is_some() || literal(pattern).is_none() => {
                no("SIMILAR TO with ESCAPE, or a pattern that is no text", "`~` takes regular expressions", expression)
            }
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("regexp_matches") => no(
                "regexp_matches, which gives a row for each match,",
                "`regexp_match` gives the parts of the first match as a list, or NULL; `regexp_count` counts them",
                expression,
            ),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The column that such a join has in common would be that of the left side, and NULL where that has no row.
fn joined(tables: &TableWithJoins) -> ControlFlow<PassedBy> {
    let of_one_side = |join: &Join| match &join.join_operator {
        JoinOperator::Right(by) | JoinOperator::RightOuter(by) | JoinOperator::FullOuter(by) => {
            matches!(by, JoinConstraint::Using(_) | JoinConstraint::Natural)
        }
        _ => false,
    };
    match tables.joins.iter().find(|join| of_one_side(join)) {
        Some(join) => no(
            "a RIGHT or FULL JOIN with USING, or a NATURAL one,",
            "join `ON a.x = b.x` and select `coalesce(a.x, b.x) AS x`",
            &join.relation,
        ),
        None => ControlFlow::Continue(()),
    }
}

/// DataFusion does not count how often a row is there: each one counts as one, or all of its kind are taken.
fn counted(body: &SetExpr) -> ControlFlow<PassedBy> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return ControlFlow::Continue(()) };
    if matches!(op, SetOperator::Except | SetOperator::Intersect) && *set_quantifier == SetQuantifier::All {
        return no(
            "EXCEPT ALL or INTERSECT ALL",
            "without ALL each row counts once; `row_number() OVER (PARTITION BY …)` beside it makes it another row",
            &**right,
        );
    }
    counted(left)?;
    counted(right)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn what_would_be_passed_over_is_refused_wherever_it_stands() {
        let refused = |sql: &str| {
            let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
            refuse(&statements[0]).err().map(|error| error.to_string())
        };
        let sampled = "SELECT 1 WHERE EXISTS (SELECT 1 FROM spans AS s TABLESAMPLE SYSTEM (1))";
        assert!(refused(sampled).unwrap().starts_with("TABLESAMPLE is not supported"));
        let numbered = "SELECT * FROM generate_series(1, 3) WITH ORDINALITY";
        assert!(refused(numbered).unwrap().starts_with("WITH ORDINALITY is not supported"));
        assert!(refused("SELECT 1 WHERE a SIMILAR TO b").unwrap().starts_with("SIMILAR TO with"));
        assert!(refused("SELECT a SIMILAR TO 'x' ESCAPE '!'").unwrap().starts_with("SIMILAR TO with"));
        for joined in ["a RIGHT JOIN b USING (x)", "c, a FULL JOIN b USING (x)", "(a NATURAL FULL JOIN b)"] {
            let told = refused(&format!("SELECT x FROM {joined}"));
            assert!(told.unwrap().starts_with("a RIGHT or FULL JOIN with USING"), "{joined}");
        }
        assert_eq!(refused("SELECT 1 FROM a JOIN b USING (x) LEFT JOIN c USING (x) RIGHT JOIN d ON c.x = d.x"), None);
        assert!(refused("SELECT 1 UNION SELECT 1 EXCEPT ALL SELECT 2").unwrap().starts_with("EXCEPT ALL or"));
        assert!(refused("SELECT (SELECT 1 INTERSECT ALL SELECT 1)").unwrap().starts_with("EXCEPT ALL or"));
        assert_eq!(refused("SELECT 1 EXCEPT SELECT 2 UNION ALL SELECT 3"), None);
        assert!(refused("SELECT 1,\n  regexp_matches(a, 'b')").unwrap().contains("at line 2, column 3;"));
        assert!(refused("SELECT (regexp_matches(a, 'b'))[1]").unwrap().contains("`regexp_match` gives"));
        assert_eq!(refused("SELECT a SIMILAR TO 'x' FROM generate_series(1, 3), (SELECT 1) AS s"), None);
    }
}
