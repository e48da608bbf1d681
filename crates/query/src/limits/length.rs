//! How long a query may be.
//!
//! Whoever reads, plans or drops a query goes down into it once per level of `a + b + c …`, so that its length decides
//! how deep the stack gets. The threads of queries have a stack ([`STACK_BYTES`]) for what [`MOST_WORDS`] words can
//! come to; longer ones are not even parsed. Planning takes as long as there are levels, times that number again, so
//! there are limits for those too ([`MOST_LEVELS`], [`MOST_PARTS`]): nothing stops it on its way.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, SetExpr, Statement, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::tables;

/// Words of a query: names, numbers, texts and signs.
const MOST_WORDS: usize = 100_000;

/// Operators and calls of an expression, one upon the other: some seconds of planning.
const MOST_LEVELS: usize = 4_000;

/// Operations that put queries together, such as `UNION`: some seconds of planning.
const MOST_PARTS: usize = 2_000;

/// Only what is used of it takes memory.
pub(crate) const STACK_BYTES: usize = 1 << 30;

/// Refuses a query that is too long.
pub(crate) fn check(sql: &str) -> Result<(), String> {
    // A word takes a byte at least.
    if sql.len() <= MOST_WORDS {
        return Ok(());
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().unwrap_or_default();
    let words = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count();
    if words <= MOST_WORDS {
        return Ok(());
    }
    Err(format!(
        "the query has {words} words, {MOST_WORDS} are allowed; give lists of values as a parameter or as VALUES to join"
    ))
}

/// Refuses a statement that would be planned for longer than anybody waits.
pub(crate) fn check_levels(statement: &Statement) -> Result<(), String> {
    match statement.visit(&mut Levels::default()) {
        ControlFlow::Break(message) => Err(message),
        ControlFlow::Continue(()) => tables::check(statement),
    }
}

#[derive(Default)]
struct Levels {
    /// Expressions that the visit is in.
    open: usize,
    parts: usize,
}

impl Visitor for Levels {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let mut waiting = vec![query.body.as_ref()];
        while let Some(body) = waiting.pop() {
            if let SetExpr::SetOperation { left, right, .. } = body {
                self.parts += 1;
                waiting.extend([left.as_ref(), right.as_ref()]);
            }
        }
        if self.parts <= MOST_PARTS {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(format!(
            "the query has more than {MOST_PARTS} UNIONs or their like, which is the limit; put rows together as VALUES"
        ))
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.open += 1;
        if self.open <= MOST_LEVELS {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(format!(
            "an expression of the query has more than {MOST_LEVELS} levels, which is the limit; \
             `x = ANY($1)` or `x IN (…)` is one level for any number of values"
        ))
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.open -= 1;
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    /// On a stack as that of the threads of queries.
    fn levels(sql: String) -> Result<(), String> {
        let check = move || {
            let statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap();
            check_levels(&statements[0])
        };
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(check).unwrap().join().unwrap()
    }

    #[test]
    fn levels_and_unions_are_counted_not_values() {
        let sum = |terms: usize| format!("SELECT {}", vec!["1"; terms].join("+"));
        let union = |terms: usize| vec!["SELECT 1"; terms].join(" UNION ALL ");
        // So many terms have one operator less; the first term is a level of its own.
        assert!(levels(sum(MOST_LEVELS)).is_ok());
        assert!(levels(sum(MOST_LEVELS + 1)).unwrap_err().contains("4000 levels"));
        assert!(levels(union(MOST_PARTS + 1)).is_ok());
        assert!(levels(union(MOST_PARTS + 2)).unwrap_err().contains("2000 UNIONs"));
        let half = union(MOST_PARTS / 2 + 2);
        assert!(levels(format!("WITH a AS ({half}) SELECT * FROM a WHERE EXISTS ({half})")).is_err());
        assert!(levels(format!("SELECT 1 IN ({})", vec!["1"; 20_000].join(","))).is_ok());
    }

    #[test]
    fn words_are_counted_not_bytes() {
        assert!(check(&format!("SELECT '{}'", "long ".repeat(100_000))).is_ok());
        assert!(check(&vec!["1"; 50_001].join("+")).is_err());
        assert!(check(&vec!["1"; 50_000].join("+")).is_ok());
    }
}
