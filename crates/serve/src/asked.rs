//! What a client of `POST /v1/sql` asks: a query, the values of its parameters, its settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use serde::Deserialize;
use serde_json::Value;
use tracewell_query::{Engine, Parameter, QueryError, Rows, Settings};

/// A query with its surroundings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) sql: String,
    /// By position (`$1`), or by name (`$name`).
    #[serde(default)]
    parameters: Parameters,
    /// Times without a zone are of this one, and times are shown in it.
    time_zone: Option<String>,
    /// Seconds; never longer than the server allows.
    timeout_seconds: Option<f64>,
    /// What calls cost is worked out by the prices of this version.
    pub(crate) prices: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Parameters {
    Listed(Vec<Value>),
    Named(BTreeMap<String, Value>),
}

impl Default for Parameters {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// Why a query was not started.
pub(crate) enum Refused {
    /// What is asked makes no sense.
    Wrong(String),
    Query(QueryError),
}

impl From<QueryError> for Refused {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl Asked {
    pub(crate) fn plain(sql: String) -> Self {
        Self { sql, parameters: Parameters::default(), time_zone: None, timeout_seconds: None, prices: None }
    }

    /// Starts the query.
    pub(crate) async fn run(self, engine: &Arc<Engine>) -> Result<Rows, Refused> {
        let session = engine.session(self.settings()?);
        let values = self.parameters.named();
        if values.is_empty() {
            return Ok(session.sql(&self.sql).await?);
        }
        let hints = values.iter().filter_map(|(name, value)| {
            scalar(value).map(|scalar| Parameter { name: name.clone(), data_type: scalar.data_type() })
        });
        // Text is read as whatever stands at its place.
        let hints: Vec<Parameter> = hints.filter(|hint| hint.data_type != DataType::Utf8).collect();
        let prepared = session.prepare(&self.sql, &hints).await?;
        let wanted = prepared.parameters();
        if let Some(unknown) = values.keys().find(|name| wanted.iter().all(|parameter| parameter.name != **name)) {
            let names: Vec<String> = wanted.iter().map(|parameter| format!("${}", parameter.name)).collect();
            let names = if names.is_empty() { "none".into() } else { names.join(", ") };
            return Err(Refused::Wrong(format!("the query has no parameter `${unknown}`; it has {names}")));
        }
        let value = |parameter: &Parameter| {
            let name = &parameter.name;
            let given = values.get(name).ok_or_else(|| Refused::Wrong(format!("parameter `${name}` has no value")))?;
            match given {
                Value::Null => ScalarValue::try_from(&parameter.data_type).map_err(|error| wrong(name, &error)),
                given => scalar(given).ok_or_else(|| {
                    Refused::Wrong(format!(
                        "parameter `${name}` is neither text, number, true, false, null nor a list of one of them"
                    ))
                }),
            }
        };
        let values = wanted.iter().map(value).collect::<Result<_, _>>()?;
        Ok(session.run(&prepared, values).await?)
    }

    fn settings(&self) -> Result<Settings, Refused> {
        let mut settings = Settings { prices: self.prices.clone(), ..Settings::default() };
        if let Some(zone) = &self.time_zone {
            if zone.parse::<Tz>().is_err() {
                let message =
                    format!("`{zone}` is no time zone; give a name such as Europe/Berlin, or an offset such as +02:00");
                return Err(Refused::Wrong(message));
            }
            settings.time_zone.clone_from(zone);
        }
        if let Some(seconds) = self.timeout_seconds {
            let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero());
            let timeout = timeout.ok_or_else(|| Refused::Wrong("`timeout_seconds` is not above 0".into()))?;
            settings.timeout = Some(timeout);
        }
        Ok(settings)
    }
}

impl Parameters {
    fn named(self) -> BTreeMap<String, Value> {
        match self {
            Self::Listed(values) => (1..).map(|position: usize| position.to_string()).zip(values).collect(),
            Self::Named(values) => values,
        }
    }
}

fn wrong(name: &str, error: &dyn std::fmt::Display) -> Refused {
    Refused::Wrong(format!("parameter `${name}`: {error}"))
}

/// A JSON value as one of SQL. Numbers with a point are binary: an exact decimal is sent as text.
fn scalar(value: &Value) -> Option<ScalarValue> {
    match value {
        Value::String(text) => Some(ScalarValue::Utf8(Some(text.clone()))),
        Value::Bool(value) => Some(ScalarValue::Boolean(Some(*value))),
        Value::Number(number) => {
            let whole = number.as_i64().map(|number| ScalarValue::Int64(Some(number)));
            whole.or_else(|| number.as_f64().map(|number| ScalarValue::Float64(Some(number))))
        }
        Value::Array(items) => {
            let items: Vec<ScalarValue> = items.iter().map(scalar).collect::<Option<_>>()?;
            let item = items.first().map_or(DataType::Utf8, ScalarValue::data_type);
            let same = items.iter().all(|other| other.data_type() == item && !matches!(other, ScalarValue::List(_)));
            same.then(|| ScalarValue::List(ScalarValue::new_list_nullable(&items, &item)))
        }
        Value::Null | Value::Object(_) => None,
    }
}
