//! A named query with values in place of its parameters: SQL that can be printed, pasted and run as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::{NamedQuery, Parameter, ParameterType};

/// Why a query cannot be asked this way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// No such parameter.
    #[error("`{query}` has no parameter `{name}`; it has {known}")]
    Unknown {
        /// The query.
        query: String,
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
    /// A parameter without a default was not given.
    #[error("`{query}` needs the parameter `{name}`: {doc}")]
    Missing {
        /// The query.
        query: String,
        /// The parameter.
        name: String,
        /// What it is for.
        doc: String,
    },
    /// A value is not of the parameter's type.
    #[error("`{value}` is no {kind} for the parameter `{name}`: {hint}")]
    Value {
        /// The parameter.
        name: String,
        /// What was given.
        value: String,
        /// The type.
        kind: &'static str,
        /// What would be right.
        hint: &'static str,
    },
    /// The SQL of the query cannot be read.
    #[error("`{query}` cannot be read: {what}")]
    Unreadable {
        /// The query.
        query: String,
        /// Why.
        what: String,
    },
}

impl NamedQuery {
    /// The SQL with `values` for the parameters they name, and defaults for the others.
    ///
    /// # Errors
    /// When a value is missing, unknown or not of its type.
    pub fn bind(&self, values: &BTreeMap<String, String>) -> Result<String, BindError> {
        let known = || self.parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect::<Vec<_>>();
        if let Some(name) = values.keys().find(|name| !self.parameters.iter().any(|one| one.name == **name)) {
            let known = if self.parameters.is_empty() { "none".to_owned() } else { known().join(", ") };
            return Err(BindError::Unknown { query: self.name.clone(), name: name.clone(), known });
        }
        let mut bound = BTreeMap::new();
        for parameter in &self.parameters {
            let expression = match (values.get(&parameter.name), &parameter.default) {
                (Some(value), _) => literal(parameter, value)?,
                (None, Some(default)) => default.clone(),
                (None, None) => {
                    let (query, name, doc) = (self.name.clone(), parameter.name.clone(), parameter.doc.clone());
                    return Err(BindError::Missing { query, name, doc });
                }
            };
            bound.insert(parameter.name.as_str(), format!("CAST({expression} AS {})", parameter.kind.sql()));
        }
        self.replace(&bound)
    }

    fn replace(&self, bound: &BTreeMap<&str, String>) -> Result<String, BindError> {
        let unreadable = |what: String| BindError::Unreadable { query: self.name.clone(), what };
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, &self.sql)
            .tokenize_with_location()
            .map_err(|error| unreadable(error.to_string()))?;
        let lines: Vec<usize> = std::iter::once(0).chain(self.sql.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let byte = |place: Location| -> Option<usize> {
            let line = *lines.get(usize::try_from(place.line).ok()?.checked_sub(1)?)?;
            let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
            let rest = &self.sql[line..];
            Some(line + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
        };
        let (mut sql, mut done) = (String::new(), 0);
        for token in tokens {
            let Token::Placeholder(name) = &token.token else { continue };
            let Some(value) = bound.get(name.trim_start_matches('$')) else {
                return Err(unreadable(format!("it has no parameter `{name}`")));
            };
            let (Some(start), Some(end)) = (byte(token.span.start), byte(token.span.end)) else {
                return Err(unreadable(format!("`{name}` is nowhere")));
            };
            sql += &self.sql[done..start];
            sql += value;
            done = end;
        }
        sql += &self.sql[done..];
        Ok(sql)
    }
}

/// A value as an SQL expression.
fn literal(parameter: &Parameter, value: &str) -> Result<String, BindError> {
    let wrong = |hint| BindError::Value {
        name: parameter.name.clone(),
        value: value.to_owned(),
        kind: parameter.kind.sql(),
        hint,
    };
    match parameter.kind {
        ParameterType::Text => Ok(quoted(value)),
        ParameterType::Bigint => {
            value.parse::<i64>().map(|n| n.to_string()).map_err(|_| wrong("a whole number, such as 20"))
        }
        ParameterType::Double => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(quoted(value)),
            _ => Err(wrong("a number, such as 0.5")),
        },
        ParameterType::Boolean => match value {
            "true" | "false" => Ok(value.to_owned()),
            _ => Err(wrong("true or false")),
        },
        ParameterType::Date => match value.parse::<NaiveDate>() {
            Ok(day) => Ok(quoted(&day.to_string())),
            Err(_) => Err(wrong("a day, such as 2026-11-16")),
        },
        ParameterType::Timestamptz => {
            moment(value).ok_or_else(|| wrong("2026-11-16T09:00:00Z with its zone, 2026-11-16, or how long ago, as 7d"))
        }
    }
}

/// A moment with its zone, a day (its beginning in UTC), or how long ago.
fn moment(value: &str) -> Option<String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(&value.replacen(' ', "T", 1)) {
        return Some(quoted(&time.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::AutoSi, true)));
    }
    if let Ok(day) = value.parse::<NaiveDate>() {
        return Some(quoted(&format!("{day}T00:00:00Z")));
    }
    let unit = value.chars().last()?;
    let number: u32 = value.strip_suffix(unit)?.parse().ok()?;
    let unit = match unit {
        'm' => "minutes",
        'h' => "hours",
        'd' => "days",
        'w' => "weeks",
        _ => return None,
    };
    Some(format!("now() - INTERVAL '{number} {unit}'"))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn bound(values: &[(&str, &str)]) -> Result<String, String> {
        let text = "-- title: T\n-- question: Q?\n-- param: since timestamptz = now() | From\n\
                    -- param: team text = NULL | Whose\n-- param: most bigint | How many\n\
                    SELECT 'é $team' WHERE t >= $since AND team = $team LIMIT $most -- $most\n";
        let query = parse("g", "q", text).expect("it is right");
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sql = query.bind(&values).map_err(|error| error.to_string())?;
        Ok(sql.lines().last().unwrap_or_default().to_owned())
    }

    #[test]
    fn parameters_are_replaced_and_nothing_else() {
        assert_eq!(
            bound(&[("most", "5"), ("team", "o'hara"), ("since", "2026-11-16T09:00:00+02:00")]),
            Ok("SELECT 'é $team' WHERE t >= CAST('2026-11-16T07:00:00Z' AS timestamptz) AND \
                team = CAST('o''hara' AS text) LIMIT CAST(5 AS bigint) -- $most"
                .into())
        );
        assert_eq!(
            bound(&[("most", "5"), ("since", "7d")]),
            Ok("SELECT 'é $team' WHERE t >= CAST(now() - INTERVAL '7 days' AS timestamptz) AND \
                team = CAST(NULL AS text) LIMIT CAST(5 AS bigint) -- $most"
                .into())
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |values: &[(&str, &str)]| bound(values).expect_err("it is wrong");
        assert!(told(&[]).contains("needs the parameter `most`: How many"));
        assert!(told(&[("most", "5"), ("x", "1")]).contains("no parameter `x`; it has `since`, `team`, `most`"));
        assert!(told(&[("most", "5 OR 1")]).contains("`5 OR 1` is no bigint"));
        assert!(told(&[("most", "5"), ("since", "2026-11-16 09:00:00")]).contains("with its zone"));
    }
}
