//! Parts of SQL that DataFusion reads and then passes over in silence: the answer would be one to another question.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, Select, Statement, TableFactor, TableWithJoins, Visit, Visitor,
};

use crate::error::{QueryError, SqlError, SqlErrorKind};
use crate::zone::literal;

/// Refuses a statement that asks for what would not be done.
pub(super) fn refuse(statement: &Statement) -> Result<(), QueryError> {
    match statement.visit(&mut PassedOver) {
        ControlFlow::Break((what, hint)) => Err(QueryError::Sql(SqlError {
            hint: Some(hint.to_owned()),
            ..SqlError::new(SqlErrorKind::Unsupported, format!("{what} is not supported"))
        })),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct PassedOver;

impl Visitor for PassedOver {
    /// What it is, and what can be asked instead.
    type Break = (&'static str, &'static str);

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        select.from.iter().try_for_each(joined)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break(("TABLESAMPLE", "`WHERE random() < 0.01` takes about one row of a hundred"))
            }
            TableFactor::NestedJoin { table_with_joins, .. } => joined(table_with_joins),
            TableFactor::Table { with_ordinality: true, .. } => {
                ControlFlow::Break(("WITH ORDINALITY", "`row_number() OVER ()` counts rows"))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Self::Break> {
        match expression {
            Expr::SimilarTo { pattern, escape_char, .. } if escape_char.is_some() || literal(pattern).is_none() => {
                ControlFlow::Break((
                    "SIMILAR TO with ESCAPE, or a pattern that is no text",
                    "`~` takes regular expressions",
                ))
            }
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("regexp_matches") => {
                ControlFlow::Break((
                    "regexp_matches, which gives a row for each match,",
                    "`regexp_match` gives the parts of the first match as a list, or NULL; `regexp_count` counts them",
                ))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The column that such a join has in common would be that of the left side, and NULL where that has no row.
fn joined(tables: &TableWithJoins) -> ControlFlow<(&'static str, &'static str)> {
    let of_one_side = |join: &Join| match &join.join_operator {
        JoinOperator::Right(by) | JoinOperator::RightOuter(by) | JoinOperator::FullOuter(by) => {
            matches!(by, JoinConstraint::Using(_) | JoinConstraint::Natural)
        }
        _ => false,
    };
    if tables.joins.iter().any(of_one_side) {
        return ControlFlow::Break((
            "a RIGHT or FULL JOIN with USING, or a NATURAL one,",
            "join `ON a.x = b.x` and select `coalesce(a.x, b.x) AS x`",
        ));
    }
    ControlFlow::Continue(())
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
        assert!(refused("SELECT (regexp_matches(a, 'b'))[1]").unwrap().contains("`regexp_match` gives"));
        assert_eq!(refused("SELECT a SIMILAR TO 'x' FROM generate_series(1, 3), (SELECT 1) AS s"), None);
    }
}
