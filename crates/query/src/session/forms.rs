//! Forms of SQL that PostgreSQL knows and DataFusion does not, in terms of those it knows.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, CharacterLength, DataType, Expr, Fetch, FunctionArg, FunctionArgExpr, FunctionArguments,
    LimitClause, Query, Select, Statement, Value, VisitMut, VisitorMut, visit_expressions_mut,
};

use super::copies::{self, Copies};
use super::{arrays, calls, gathered, intervals, json, lateral, lists, names, places, series, whole_rows};
use crate::functions::CUT;
use crate::limits::length;
use crate::zone::{call, literal};

/// Translates a statement of a session in `time_zone`, or says why it comes to too much.
pub(super) fn rewrite(statement: &mut Statement, time_zone: &str) -> Result<(), String> {
    if statement.visit(&mut Forms { time_zone, copies: Copies::default(), lists: lateral::MOST }).is_break() {
        return Err(format!(
            "what is compared with lists and gathered in order comes to more than {} expressions, which is the limit; \
             compare one with the items of `unnest` or VALUES",
            copies::MOST
        ));
    }
    // A list is written out with an operator between items.
    length::check_levels(statement)
}

/// Reads what PostgreSQL has types of its own for as the text that it is here. Its protocol knows them by itself.
pub(super) fn texts(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expression: &mut Expr| {
        if let Expr::Cast { data_type, .. } = expression
            && matches!(data_type, DataType::JSON | DataType::JSONB | DataType::Uuid)
        {
            *data_type = DataType::Text;
        }
        ControlFlow::<()>::Continue(())
    });
}

struct Forms<'a> {
    time_zone: &'a str,
    copies: Copies,
    /// Lists beside tables that may still be read.
    lists: usize,
}

impl VisitorMut for Forms<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        fetched(query);
        lateral::rewrite(query, &mut self.lists);
        gathered::rewrite(query, &mut self.copies)?;
        whole_rows::rewrite(query, &mut self.copies)?;
        series::rewrite(query);
        names::rewrite(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        series::rows(select);
        calls::show(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        arrays::rewrite(expression, &mut self.copies)
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        uncollated(expression);
        aged(expression);
        similar(expression);
        cut(expression);
        rounded(expression);
        json::rewrite(expression);
        lists::rewrite(expression, &mut self.copies)?;
        places::rewrite(expression);
        intervals::rewrite(expression);
        calls::rewrite(expression, self.time_zone);
        ControlFlow::Continue(())
    }
}

/// `FETCH FIRST n ROWS ONLY` as `LIMIT n`. The planner refuses the other kinds, and both at once.
fn fetched(query: &mut Query) {
    if !matches!(&query.fetch, Some(Fetch { with_ties: false, percent: false, .. })) {
        return;
    }
    let nothing = LimitClause::LimitOffset { limit: None, offset: None, limit_by: Vec::new() };
    if let LimitClause::LimitOffset { limit: limit @ None, .. } = query.limit_clause.get_or_insert(nothing) {
        *limit = query.fetch.take().map(|fetch| fetch.quantity.unwrap_or_else(|| calls::number("1")));
    }
}

/// `x COLLATE "C"` as `x`: texts are compared so anyway.
fn uncollated(expression: &mut Expr) {
    if let Expr::Collate { expr, .. } = &*expression {
        *expression = expr.as_ref().clone();
    }
}

/// `age(time)` as `age(current_date(), time)`.
fn aged(expression: &mut Expr) {
    if let Expr::Function(function) = expression
        && function.name.to_string().eq_ignore_ascii_case("age")
        && let FunctionArguments::List(list) = &mut function.args
        && list.args.len() == 1
    {
        let today = Expr::Function(call("current_date", []));
        list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(today)));
    }
}

/// `x SIMILAR TO 'pattern'` as `x ~ 'expression'`: DataFusion takes the pattern for an expression as it is.
fn similar(expression: &mut Expr) {
    let Expr::SimilarTo { negated, expr, pattern, escape_char: None } = &*expression else { return };
    let Some(pattern) = literal(pattern) else { return };
    let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
    let right = Box::new(Expr::Value(Value::SingleQuotedString(regular(pattern)).into()));
    *expression = Expr::BinaryOp { left: expr.clone(), op, right };
}

/// `x::varchar(3)` as the first three letters of `x::text`: to DataFusion a text is as long as it is. Blanks at the end
/// of a `char(3)` mean nothing.
fn cut(expression: &mut Expr) {
    let Expr::Cast { data_type, .. } = expression else { return };
    let one = CharacterLength::IntegerLength { length: 1, unit: None };
    let (length, blanks) = match data_type {
        DataType::Varchar(Some(length)) | DataType::CharacterVarying(Some(length)) => (*length, true),
        DataType::Char(length) | DataType::Character(length) => (length.unwrap_or(one), false),
        _ => return,
    };
    let CharacterLength::IntegerLength { length, .. } = length else { return };
    *data_type = DataType::Text;
    let cut = Expr::Function(call(CUT, [expression.clone(), calls::number(&length.to_string())]));
    *expression = if blanks { cut } else { Expr::Function(call("rtrim", [cut])) };
}

/// `x::timestamp(0)` with half a second more: DataFusion cuts off what PostgreSQL rounds.
fn rounded(expression: &mut Expr) {
    let Expr::Cast { kind, data_type, expr, .. } = expression else { return };
    let (half, zone) = match data_type {
        DataType::Timestamp(Some(0), zone) => ("500 milliseconds", *zone),
        DataType::Timestamp(Some(3), zone) => ("500 microseconds", *zone),
        _ => return,
    };
    let cast = |kind: CastKind, expr: Expr, data_type: DataType| {
        Box::new(Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None })
    };
    let left = cast(kind.clone(), expr.as_ref().clone(), DataType::Timestamp(None, zone));
    let half = Expr::Value(Value::SingleQuotedString(half.into()).into());
    let right = cast(CastKind::Cast, half, DataType::Interval { fields: None, precision: None });
    **expr = Expr::Nested(Box::new(Expr::BinaryOp { left, op: BinaryOperator::Plus, right }));
}

/// The regular expression for the whole of a text that is similar to `pattern`.
fn regular(pattern: &str) -> String {
    let mut regular = String::from("(?s)^(?:");
    let (mut letters, mut in_class) = (pattern.chars(), false);
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => regular.extend(['\\'].into_iter().chain(letters.next())),
            letter if in_class => {
                in_class = letter != ']';
                regular.push(letter);
            }
            '%' => regular.push_str(".*"),
            '_' => regular.push('.'),
            '(' => regular.push_str("(?:"),
            '.' | '^' | '$' => regular.extend(['\\', letter]),
            letter => {
                in_class = letter == '[';
                regular.push(letter);
            }
        }
    }
    regular + ")$"
}

#[cfg(test)]
pub(super) mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    /// A statement as a session in Berlin reads it.
    pub(in super::super) fn rewritten(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("it is SQL");
        rewrite(&mut statements[0], "Europe/Berlin").expect("it is short");
        statements[0].to_string()
    }

    /// A query after `rewrite`.
    pub(in super::super) fn rewritten_by(rewrite: fn(&mut Query), sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).expect("it is SQL");
        let Statement::Query(query) = &mut statements[0] else { panic!("{sql} is no query") };
        rewrite(query);
        statements[0].to_string()
    }

    #[test]
    fn rows_that_are_fetched_are_a_limit_wherever_it_stands() {
        for (sql, expected) in [
            ("SELECT a FROM t FETCH FIRST 3 ROWS ONLY", "SELECT a FROM t LIMIT 3"),
            ("SELECT a FROM t OFFSET 2 ROWS FETCH NEXT ROW ONLY", "SELECT a FROM t LIMIT 1 OFFSET 2 ROWS"),
            ("SELECT 1 IN (SELECT a FROM t FETCH FIRST $1 ROWS ONLY)", "SELECT 1 IN (SELECT a FROM t LIMIT $1)"),
        ] {
            assert_eq!(rewritten(sql), expected);
        }
        for refused in
            ["SELECT a FROM t FETCH FIRST 3 ROWS WITH TIES", "SELECT a FROM t LIMIT 2 FETCH FIRST 3 ROWS ONLY"]
        {
            assert_eq!(rewritten(refused), refused);
        }
    }

    #[test]
    fn what_is_similar_is_matched_as_a_whole() {
        let expected = r"SELECT a ~ '(?s)^(?:.*\.(?:x|y)[_.]{2}.\%)$', a !~ '(?s)^(?:b)$'";
        assert_eq!(rewritten(r"SELECT a SIMILAR TO '%.(x|y)[_.]{2}_\%', a NOT SIMILAR TO 'b'"), expected);
    }

    #[test]
    fn a_text_of_a_length_is_cut() {
        let expected =
            "SELECT tracewell_cut(a::TEXT, 3) AS b, rtrim(tracewell_cut(CAST(a AS TEXT), 1)) AS c, a::VARCHAR AS d";
        assert_eq!(rewritten("SELECT a::varchar(3) AS b, CAST(a AS char) AS c, a::varchar AS d"), expected);
    }

    #[test]
    fn a_time_of_whole_seconds_is_rounded() {
        let expected =
            "SELECT (a::TIMESTAMP + CAST('500 milliseconds' AS INTERVAL))::TIMESTAMP(0) AS b, a::TIMESTAMP AS c";
        assert_eq!(rewritten("SELECT a::timestamp(0) AS b, a::timestamp AS c"), expected);
        let expected =
            "SELECT TRY_CAST((TRY_CAST(a AS TIMESTAMP) + CAST('500 microseconds' AS INTERVAL)) AS TIMESTAMP(3)) AS b";
        assert_eq!(rewritten("SELECT TRY_CAST(a AS timestamp(3)) AS b"), expected);
    }

    #[test]
    fn lists_within_lists_are_not_written_out_without_end() {
        let lists = (0..20).fold("a".to_owned(), |within, _| format!("({within} LIKE ANY ('{{x,y}}'))"));
        let gathered = |within: String, _| format!("array(SELECT {within} FROM t ORDER BY 1, 1, 1, 1)");
        for within in [lists, (0..8).fold("a".to_owned(), gathered)] {
            let mut statements =
                Parser::parse_sql(&PostgreSqlDialect {}, &format!("SELECT {within}")).expect("it is SQL");
            let told = rewrite(&mut statements[0], "UTC").expect_err("it would be a million");
            assert!(told.contains("more than 100000 expressions"), "{told}");
        }
    }

    #[test]
    fn an_age_is_one_of_today() {
        assert_eq!(rewritten("SELECT a COLLATE \"C\" ~ 'b'"), "SELECT a ~ '(?s)b'");
        assert_eq!(rewritten("SELECT age(a), age(a, b)"), "SELECT age(current_date(), a), age(a, b)");
    }
}
