//! Parts of SQL that DataFusion reads and then passes over in silence: the answer would be one to another question.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Join, JoinConstraint, JoinOperator, ObjectName,
    Query, Select, SetExpr, SetOperator, SetQuantifier, Spanned, Statement, Subscript, TableFactor, TableWithJoins,
    Value, Visit, Visitor,
};

use crate::error::{Location, QueryError, SqlError, SqlErrorKind};
use crate::zone::literal;

/// Refuses a statement that asks for what would not be done.
pub(super) fn refuse(statement: &Statement) -> Result<(), QueryError> {
    match statement.visit(&mut PassedOver::default()) {
        ControlFlow::Break(PassedBy { what, hint, at }) => Err(QueryError::Sql(SqlError {
            hint: Some(hint.to_owned()),
            at,
            ..SqlError::new(SqlErrorKind::Unsupported, format!("{what} is not supported"))
        })),
        ControlFlow::Continue(()) => Ok(()),
    }
}

#[derive(Default)]
struct PassedOver {
    /// Whether the next function stands in `(f(x))[1]`.
    of_one_part: bool,
}

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
        let one_part = match expression {
            Expr::Nested(_) => false,
            Expr::Substring { .. } => true,
            _ => std::mem::take(&mut self.of_one_part),
        };
        let moves_parts = match pattern_of_parts(expression).map_or(Missing::Nothing, missing) {
            Missing::Nothing => false,
            Missing::AtEnd => !one_part,
            Missing::Between => true,
        };
        match expression {
            Expr::CompoundFieldAccess { access_chain, .. } => {
                let first = access_chain.first();
                self.of_one_part = matches!(first, Some(AccessExpr::Subscript(Subscript::Index { .. })));
                ControlFlow::Continue(())
            }
            Expr::SimilarTo { pattern, escape_char, .. } if escape_char.is_some() || literal(pattern).is_none() => {
                no("SIMILAR TO with ESCAPE, or a pattern that is no text", "`~` takes regular expressions", expression)
            }
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("regexp_matches") => no(
                "regexp_matches, which gives a row for each match,",
                "`regexp_match` gives the parts of the first match as a list, or NULL; `regexp_count` counts them",
                expression,
            ),
            Expr::Collate { collation, .. } if !by_letter(collation) => no(
                "COLLATE, but for \"C\",",
                "texts are compared letter by letter; `ORDER BY lower(x)` passes over capitals",
                expression,
            ),
            _ if moves_parts => no(
                "a regular expression with several groups of which one may be missing",
                "a missing group would have no place among the parts: write `(b?)` in place of `(b)?`, or ask for one \
                 group, `(?:…)` being none",
                expression,
            ),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Whether texts are compared so anyway. Clients ask for the default where they look for tables.
fn by_letter(collation: &ObjectName) -> bool {
    let name = collation.0.last().and_then(|name| name.as_ident());
    name.is_some_and(|name| {
        ["c", "c.utf-8", "c.utf8", "default", "posix", "ucs_basic"].contains(&name.value.to_lowercase().as_str())
    })
}

/// The pattern of an expression that gives the parts of what it matches.
fn pattern_of_parts(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Substring { substring_from: Some(pattern), substring_for: None, .. } => written(pattern),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("regexp_match") => {
            let FunctionArguments::List(list) = &function.args else { return None };
            match list.args.get(1)? {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern)) => written(pattern),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The text that stands there in quotes of any kind.
fn written(pattern: &Expr) -> Option<&str> {
    let Expr::Value(pattern) = pattern else { return None };
    match &pattern.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
        Value::DollarQuotedString(text) => Some(&text.value),
        _ => None,
    }
}

/// Which of several groups can be missing where the others match.
#[derive(Clone, Copy)]
enum Missing {
    Nothing,
    /// The last ones: those before them have their places.
    AtEnd,
    /// One that has another behind it, which would be found in its place.
    Between,
}

fn missing(pattern: &str) -> Missing {
    #[derive(Default)]
    struct Group {
        counts: bool,
        within: usize,
        has_choice: bool,
    }
    let (mut open, mut may_miss, mut is_between) = (vec![Group::default()], false, false);
    let (mut rest, mut in_class) = (pattern, false);
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\\' => rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default(),
            ']' => in_class = false,
            _ if in_class => {}
            '[' => {
                in_class = true;
                let first = rest.strip_prefix('^').unwrap_or(rest);
                rest = first.strip_prefix(']').unwrap_or(first);
            }
            '(' => {
                let counts = !rest.starts_with('?') || rest.starts_with("?P<") || rest.starts_with("?<");
                is_between |= counts && may_miss;
                open.push(Group { counts, ..Group::default() });
            }
            '|' => {
                if let Some(group) = open.last_mut() {
                    group.has_choice = true;
                    may_miss |= group.within > 0;
                }
            }
            ')' if open.len() > 1 => {
                let Some(group) = open.pop() else { break };
                let groups = group.within + usize::from(group.counts);
                let is_optional = rest.starts_with(['?', '*']) || rest.starts_with("{0") || rest.starts_with("{,");
                may_miss |= (is_optional && groups > 0) || (group.has_choice && group.within > 0);
                if let Some(around) = open.last_mut() {
                    around.within += groups;
                }
            }
            _ => {}
        }
    }
    match open.first() {
        _ if is_between => Missing::Between,
        Some(all) if all.within > 1 && (may_miss || all.has_choice) => Missing::AtEnd,
        _ => Missing::Nothing,
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
        assert!(refused("SELECT 1 ORDER BY a COLLATE \"de-x-icu\"").unwrap().starts_with("COLLATE, but for"));
        assert_eq!(refused("SELECT a COLLATE \"C\" ~ 'b' COLLATE pg_catalog.default"), None);
        for shifting in [
            "regexp_match(a, '(a)(b)?')",
            "(regexp_match(a, '(a)(b)?(c)'))[3]",
            "(regexp_match(a, E'(a)(b)?(c)'))[3]",
            "(regexp_match(a, '(a)|(b)'))[2]",
            "(regexp_match(a, '(?:x(a)|b)(c)'))[1]",
            "(regexp_match(a, '(a)(b)?'))[1:2]",
            "(array_append(regexp_match(a, '(a)(b)?'), 'c'))[3]",
            "substring(a from '(a)?(b)')",
        ] {
            let told = refused(&format!("SELECT {shifting}"));
            assert!(told.unwrap().starts_with("a regular expression with several groups"), "{shifting}");
        }
        for whole in ["(a)(b?)(c)", "(a|b)(c)", "(?:a(b))?", "(a)(?:b)?", r"(a)(\(b\)?)", "(a)([(b)?]+)"] {
            assert_eq!(refused(&format!("SELECT regexp_match(a, '{whole}')")), None, "{whole}");
        }
        // What is missing has nothing behind it.
        for whole in [r"(\d+)(\.(\d+))?", "((a)|b)", "x|(a)(b)"] {
            assert_eq!(refused(&format!("SELECT (regexp_match(a, '{whole}'))[2]")), None, "{whole}");
            assert_eq!(refused(&format!("SELECT substring(a from '{whole}')")), None, "{whole}");
        }
        assert_eq!(refused("SELECT a SIMILAR TO 'x' FROM generate_series(1, 3), (SELECT 1) AS s"), None);
    }
}
