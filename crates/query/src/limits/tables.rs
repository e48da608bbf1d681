//! How many tables a query may join.
//!
//! Tables that are joined are planned for as long as the cube of their number, and nothing stops planning on its way: a
//! hundred take up to twenty seconds, two hundred minutes. What `WITH` names is planned at each place where it is read,
//! so it counts as often, and so do subqueries, which are joined too. Parts of a `UNION` are not: each takes as long as
//! the others, so that all but one have a table free. Our views count as one table each, whatever they read.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Query, SetExpr, SetOperator, Statement, TableFactor, Visit, Visitor};

const MOST: isize = 100;

/// Refuses a statement that joins too many.
pub(super) fn check(statement: &Statement) -> Result<(), String> {
    match statement.visit(&mut Tables::default()) {
        ControlFlow::Break(message) => Err(message),
        ControlFlow::Continue(()) => Ok(()),
    }
}

#[derive(Default)]
struct Tables {
    /// Less than nothing where what is free is still to come.
    read: isize,
    /// What parts of `WITH` read, by name.
    parts: HashMap<String, isize>,
    /// Queries that the visit is in.
    open: Vec<Open>,
}

struct Open {
    /// Tables that were read before it.
    before: isize,
    /// Its parts of `WITH` that are still to come, the next one last: they come before all else.
    parts: Vec<String>,
}

impl Visitor for Tables {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let parts = query.with.iter().flat_map(|with| with.cte_tables.iter().rev());
        let parts = parts.map(|part| part.alias.name.value.to_lowercase()).collect();
        self.open.push(Open { before: self.read, parts });
        self.read -= free(&query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
        let before = self.open.pop().map_or(0, |open| open.before);
        // One without a table is planned too.
        let own = (self.read - before).max(1);
        self.read = match self.open.last_mut().and_then(|outer| outer.parts.pop()) {
            Some(name) => {
                let known = self.parts.entry(name).or_default();
                *known = own.max(*known);
                before
            }
            None => before + own,
        };
        self.counted()
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        self.read += match table {
            TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => 0,
            TableFactor::Table { name, args: None, .. } => {
                let name = name.0.last().and_then(|name| name.as_ident()).map(|name| name.value.to_lowercase());
                name.and_then(|name| self.parts.get(&name)).copied().unwrap_or(1)
            }
            _ => 1,
        };
        self.counted()
    }
}

impl Tables {
    fn counted(&self) -> ControlFlow<String> {
        if self.read <= MOST {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(format!(
            "the query joins more than {MOST} tables, which is the limit, what WITH names as often as it is read; \
             read a table once, with `CASE`, `FILTER (WHERE …)` or `IN (…)` for its parts"
        ))
    }
}

/// Parts of a `UNION`, but one, that read a table for certain.
fn free(body: &SetExpr) -> isize {
    let (mut waiting, mut reading) = (vec![body], 0_isize);
    while let Some(body) = waiting.pop() {
        match body {
            SetExpr::SetOperation { op: SetOperator::Union, left, right, .. } => {
                waiting.extend([left.as_ref(), right.as_ref()]);
            }
            SetExpr::Select(select) if !select.from.is_empty() => reading += 1,
            SetExpr::Query(_) => reading += 1,
            _ => {}
        }
    }
    (reading - 1).max(0)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn tables(sql: &str) -> Result<(), String> {
        check(&Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap()[0])
    }

    #[test]
    fn tables_are_counted_wherever_they_stand() {
        let joined = |tables: isize| vec!["t"; tables.unsigned_abs()].join(" CROSS JOIN ");
        assert!(tables(&format!("SELECT 1 FROM {}", joined(MOST))).is_ok());
        assert!(tables(&format!("SELECT 1 FROM {}", joined(MOST + 1))).unwrap_err().contains("more than 100 tables"));
        let half = joined(MOST / 2);
        assert!(tables(&format!("SELECT 1 FROM ({half}), (SELECT 1 FROM {half}) AS u")).is_ok());
        for sql in [
            format!("SELECT 1 FROM {half}, (SELECT 1 FROM {half}) AS u, v"),
            format!("SELECT (SELECT 1 FROM {half}) FROM {half} WHERE EXISTS (SELECT 1 FROM t)"),
            format!("SELECT 1 FROM {half} UNION ALL SELECT 1 FROM {half}, t, t"),
            format!("SELECT 1 FROM {half}, t EXCEPT SELECT 1 FROM {half}"),
            format!("SELECT 1 FROM {half}, generate_series(1, 2), unnest(ARRAY[1]), {half}"),
        ] {
            assert!(tables(&sql).is_err(), "{sql}");
        }
        let subqueries = |count: isize| vec!["(SELECT 1)"; count.unsigned_abs()].join(", ");
        assert!(tables(&format!("SELECT {} FROM t", subqueries(MOST - 1))).is_ok());
        assert!(tables(&format!("SELECT {} FROM t", subqueries(MOST))).is_err());
        assert!(tables(&format!("SELECT 1 FROM t ORDER BY {}", subqueries(MOST))).is_err());
    }

    #[test]
    fn parts_of_a_union_are_not_joined() {
        let union = |part: &str, parts: usize| vec![part; parts].join(" UNION ALL ");
        assert!(tables(&union("SELECT 1 FROM t", 200)).is_ok());
        assert!(tables(&union("(SELECT 1 FROM (SELECT 1 FROM t) AS u LIMIT 1)", 200)).is_ok());
        assert!(tables(&union("SELECT 1 FROM t JOIN u USING (a)", 99)).is_ok());
        assert!(tables(&union("SELECT 1 FROM t JOIN u USING (a)", 100)).is_err());
        // What reads no table makes none free for another.
        let joined = vec!["t"; 101].join(", ");
        assert!(tables(&format!("{} UNION ALL SELECT 1 FROM {joined}", union("SELECT 1", 9))).is_err());
        let read = union("SELECT 1 FROM t", 200);
        assert!(tables(&format!("WITH w AS ({read}) SELECT 1 FROM w, ({read}) AS u")).is_ok());
    }

    /// Each part joins the one before with itself: after `n` of them there are 2^n tables.
    #[test]
    fn a_part_counts_as_often_as_it_is_read() {
        let doubled = |parts: usize| {
            let part = |part: usize| format!(", P{} AS (SELECT 1 FROM p{part} AS a, p{part} AS b)", part + 1);
            let parts_of_it: String = (0..parts).map(part).collect();
            format!("WITH p0 AS (SELECT 1 FROM t){parts_of_it} SELECT 1 FROM p{parts}")
        };
        assert!(tables(&doubled(6)).is_ok());
        assert!(tables(&doubled(7)).is_err());
        // Parts that are not read are none of the query's, and one may read itself.
        let unread = (0..MOST).map(|part| format!(", p{part} AS (SELECT 1 FROM t)")).collect::<String>();
        assert!(
            tables(&format!("WITH RECURSIVE r AS (SELECT 1 UNION SELECT 1 FROM r){unread} SELECT 1 FROM r")).is_ok()
        );
    }
}
