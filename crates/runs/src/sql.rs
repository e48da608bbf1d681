//! Pieces of SQL: literals, and the views over fewer rows.

use tracewell_model::time::Day;
use tracewell_query::VIEWS;

/// `text` as a literal.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Whether `text` is made of hexadecimal digits alone.
pub(crate) fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A list of literals of those of `ids` that are hexadecimal; never empty, for `IN ()` is not SQL.
#[must_use]
pub fn ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let list: Vec<String> = ids.into_iter().filter(|id| is_hex(id)).map(quoted).collect();
    if list.is_empty() { "''".to_owned() } else { list.join(", ") }
}

/// From the first to the last of some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) first: Day,
    pub(crate) last: Day,
}

impl Days {
    /// The days and one more on either side.
    pub(crate) fn beside(self) -> Self {
        Self { first: Day(self.first.0 - 1), last: Day(self.last.0 + 1) }
    }

    /// The condition that a row is of these days.
    pub(crate) fn condition(self) -> String {
        format!("date BETWEEN DATE '{}' AND DATE '{}'", self.first, self.last)
    }
}

/// `WITH` the views `names` and those that they use, each by its own SQL over the tables as `tables` narrows them:
/// `(table, condition)`. A name in `WITH` stands before the table or view of that name.
pub(crate) fn over(tables: &[(&str, String)], names: &[&str]) -> String {
    over_rows(tables, names, "", "")
}

/// The same, where the view `name` has the rows that the SQL `rows` has.
pub(crate) fn over_rows(tables: &[(&str, String)], names: &[&str], name: &str, rows: &str) -> String {
    let narrowed = tables.iter().map(|(name, condition)| format!("{name} AS (SELECT * FROM {name} WHERE {condition})"));
    let views = VIEWS.iter().filter(|view| names.contains(&view.name));
    let views = views.map(|view| {
        let sql = if view.name == name { rows } else { view.sql };
        format!("{} AS (\n{sql}\n)", view.name)
    });
    format!("WITH {}\n", narrowed.chain(views).collect::<Vec<_>>().join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_does_not_end_a_literal() {
        assert_eq!(quoted("it's'; --"), "'it''s''; --'");
    }

    #[test]
    fn only_hexadecimal_digits_are_ids() {
        assert_eq!(ids(["0a", "x' OR true --", "", "FF"]), "'0a', 'FF'");
        assert_eq!(ids([]), "''");
    }

    #[test]
    fn a_view_is_asked_over_the_rows_that_are_left() {
        let sql = over(&[("spans", "trace_id = 'a'".to_owned())], &["retrievals"]);
        assert!(
            sql.starts_with("WITH spans AS (SELECT * FROM spans WHERE trace_id = 'a'),\nretrievals AS (\n-- One row")
        );
        let sql = over_rows(&[], &["llm_calls"], "llm_calls", "SELECT 1");
        assert_eq!(sql, "WITH llm_calls AS (\nSELECT 1\n)\n");
    }
}
