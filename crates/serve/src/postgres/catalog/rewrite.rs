//! Forms of SQL that PostgreSQL knows and DataFusion does not, in terms of those it knows.
//!
//! Ours are in `tracewell_requests`; here those of `datafusion-pg-catalog` go before and after them.

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall, FixVersionColumnName,
    PrependUnqualifiedPgTableName, RewritePgCatalogOperator, SqlStatementRewriteRule, StripCallableQualifier,
};
use tracewell_requests::postgres::translate::translate;

/// Translates a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Explain(explain) => rewrite(explain.statement.as_mut()),
        Statement::Statement(statement) => {
            apply(statement, &[&PrependUnqualifiedPgTableName]);
            translate(statement);
            apply(
                statement,
                &[
                    &StripCallableQualifier,
                    &CurrentUserVariableToSessionUserFunctionCall,
                    &RewritePgCatalogOperator,
                    &AliasDuplicatedProjectionRewrite,
                    &FixVersionColumnName,
                ],
            );
        }
        _ => {}
    }
}

/// Applies rules, which take a statement and give it back.
fn apply(statement: &mut ast::Statement, rules: &[&dyn SqlStatementRewriteRule]) {
    for rule in rules {
        let nothing = ast::Statement::Commit { chain: false, end: false, modifier: None };
        *statement = rule.rewrite(std::mem::replace(statement, nothing));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    fn rewritten(sql: &str) -> String {
        let mut statements = DFParser::parse_sql_with_dialect(sql, &ast_dialect()).expect("it is SQL");
        let mut statement = statements.pop_front().expect("it is a statement");
        rewrite(&mut statement);
        statement.to_string()
    }

    fn ast_dialect() -> datafusion::sql::sqlparser::dialect::PostgreSqlDialect {
        datafusion::sql::sqlparser::dialect::PostgreSqlDialect {}
    }

    #[test]
    fn names_are_looked_up_where_they_are_cast_to_numbers() {
        assert_eq!(rewritten("SELECT 'public.spans'::regclass"), "SELECT to_regclass('public.spans')");
        assert_eq!(rewritten("SELECT $1::pg_catalog.regclass::oid"), "SELECT to_regclass($1)::oid");
        assert_eq!(rewritten("SELECT oid::regclass::text FROM t"), "SELECT tracewell_regclass_name(oid) FROM t");
        assert_eq!(rewritten("SELECT '1'::int4"), "SELECT '1'::INT4");
        // A session reads lists, and knows of quotes and of NULL.
        assert_eq!(rewritten("SELECT '{\"a b\",NULL}'::text[]"), "SELECT '{\"a b\",NULL}'::TEXT[]");
        assert_eq!(rewritten("SELECT 'now'::pg_catalog.regproc::pg_catalog.oid"), "SELECT to_regproc('now')");
    }

    #[test]
    fn columns_of_the_same_name_are_told_apart() {
        assert_eq!(
            rewritten("SELECT NULL, 1, NULL UNION SELECT 1, 2, 3"),
            "SELECT NULL, 1, NULL AS \"column3\" UNION SELECT 1, 2, 3"
        );
    }

    #[test]
    fn a_value_from_the_catalogue_is_an_aggregate_and_one_from_elsewhere_stays() {
        let of_catalog = "SELECT (SELECT d.x FROM pg_catalog.pg_am AS d WHERE d.adnum = a.n) FROM a";
        let expected = "SELECT (SELECT max(d.x) FROM pg_catalog.pg_am AS d WHERE d.adnum = a.n) FROM a";
        assert_eq!(rewritten(of_catalog), expected);
        let none = rewritten("SELECT (SELECT d.x FROM pg_catalog.pg_attrdef AS d WHERE d.adnum = a.n) FROM a");
        assert_eq!(none, "SELECT NULL FROM a");
        let ours = "SELECT (SELECT name FROM spans LIMIT 1)";
        assert_eq!(rewritten(ours), ours);
    }

    #[test]
    fn what_cannot_be_there_has_no_rows_and_the_same_columns() {
        let asked = "SELECT c.oid AS \"Source\", d.description FROM pg_catalog.pg_cast AS c
            LEFT JOIN pg_catalog.pg_description AS d ON c.tableoid = d.classoid ORDER BY 1";
        assert_eq!(rewritten(asked), "SELECT NULL AS \"Source\", NULL AS description WHERE false");
    }

    /// Rules that are not ours go over the same texts as those that are fuzzed.
    #[test]
    fn no_statement_makes_a_rule_panic() {
        let seeds = [
            "SELECT array(SELECT x FROM pg_catalog.pg_roles r), a OPERATOR(pg_catalog.~) 'x' COLLATE pg_catalog.default",
            "SELECT current_user, version(), '{a,b}'::text[], ARRAY['a', 'b'], t.* FROM pg_class c, LATERAL f(1) AS t(a)",
            "SELECT a, a, count(*) FROM x UNION SELECT 1, 1, 2 ORDER BY 1",
            "WITH t AS (SELECT 1) SELECT (SELECT x FROM pg_catalog.pg_am d WHERE d.a = t.b), 'n'::regclass::oid FROM t",
        ];
        let mut random: u64 = 7;
        let mut below = |bound: usize| {
            // xorshift64*, Vigna 2016.
            random ^= random >> 12;
            random ^= random << 25;
            random ^= random >> 27;
            (random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
        };
        let mut parsed = 0;
        for _ in 0..5000 {
            let mut words: Vec<&str> = seeds[below(seeds.len())].split_inclusive(' ').collect();
            let other: Vec<&str> = seeds[below(seeds.len())].split_inclusive(' ').collect();
            let at = below(words.len());
            match below(3) {
                0 => drop(words.remove(at)),
                1 => words.swap(at, 0),
                _ => words.insert(at, other[below(other.len())]),
            }
            if let Ok(mut statements) = DFParser::parse_sql_with_dialect(&words.concat(), &ast_dialect()) {
                parsed += statements.len();
                statements.iter_mut().for_each(rewrite);
            }
        }
        assert!(parsed > 100, "most texts are no SQL any more: {parsed}");
    }
}
