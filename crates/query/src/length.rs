//! How long a query may be.
//!
//! Whoever reads, plans or drops a query goes down into it once per level of `a + b + c …`, so that its length decides
//! how deep the stack gets. The threads of queries have a stack ([`STACK_BYTES`]) for what [`MOST_WORDS`] words can
//! come to; longer ones are not even parsed.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// Words of a query: names, numbers, texts and signs.
const MOST_WORDS: usize = 100_000;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_not_bytes() {
        assert!(check(&format!("SELECT '{}'", "long ".repeat(100_000))).is_ok());
        assert!(check(&vec!["1"; 50_001].join("+")).is_err());
        assert!(check(&vec!["1"; 50_000].join("+")).is_ok());
    }
}
