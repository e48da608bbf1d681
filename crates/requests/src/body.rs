//! The body of `POST /v1/sql`: a query, the values of its parameters, its settings.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::timezone::Tz;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use serde::Deserialize;
use serde_json::Value;

/// A query with its surroundings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The query.
    pub sql: String,
    #[serde(default)]
    parameters: Given,
    /// Times without a zone are of this one, and times are shown in it.
    pub time_zone: Option<String>,
    timeout_seconds: Option<f64>,
    /// What calls cost is worked out by the prices of this version.
    pub prices: Option<String>,
}

/// By position (`$1`), or by name (`$name`).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Given {
    Listed(Vec<Value>),
    Named(BTreeMap<String, Value>),
}

impl Default for Given {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// The values of parameters by their names; those of a list are called `1`, `2`, ….
#[derive(Debug, Default)]
pub struct Values(BTreeMap<String, Value>);

impl Asked {
    /// A query by itself.
    #[must_use]
    pub fn plain(sql: String) -> Self {
        Self { sql, parameters: Given::default(), time_zone: None, timeout_seconds: None, prices: None }
    }

    /// Reads a body, which is JSON or the query itself.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(body: &[u8], is_json: bool) -> Result<Self, String> {
        if is_json {
            serde_json::from_slice(body).map_err(|error| {
                format!("the body is not {{\"sql\": \"…\", \"parameters\": {{\"name\": \"value\"}}}}: {error}")
            })
        } else {
            let sql = str::from_utf8(body).map_err(|_| "the query is not UTF-8".to_owned())?;
            Ok(Self::plain(sql.to_owned()))
        }
    }

    /// The zone that times without one are of, and in which times are shown.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn time_zone(&self) -> Result<Option<&str>, String> {
        self.time_zone.as_deref().map(known_zone).transpose()
    }

    /// How long it may run; never longer than the server allows.
    ///
    /// # Errors
    /// When it is no time.
    pub fn timeout(&self) -> Result<Option<Duration>, String> {
        let Some(seconds) = self.timeout_seconds else { return Ok(None) };
        let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero());
        timeout.map(Some).ok_or_else(|| "`timeout_seconds` is not above 0".to_owned())
    }

    /// The values of its parameters.
    #[must_use]
    pub fn values(&mut self) -> Values {
        match std::mem::take(&mut self.parameters) {
            Given::Listed(values) => Values((1..).map(|position: usize| position.to_string()).zip(values).collect()),
            Given::Named(values) => Values(values),
        }
    }
}

/// `zone`, if there is such a time zone.
///
/// # Errors
/// When there is none.
pub fn known_zone(zone: &str) -> Result<&str, String> {
    match zone.parse::<Tz>() {
        Ok(_) => Ok(zone),
        Err(_) => {
            Err(format!("`{zone}` is no time zone; give a name such as Europe/Berlin, or an offset such as +02:00"))
        }
    }
}

impl Values {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the parameters are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The types that are known beforehand. Text is read as whatever stands at its place.
    pub fn types(&self) -> impl Iterator<Item = (&str, DataType)> {
        let known = self.0.iter().filter_map(|(name, value)| Some((name.as_str(), scalar(value)?.data_type())));
        known.filter(|(_, data_type)| *data_type != DataType::Utf8)
    }

    /// The value of the parameter `name`, which the query takes as `wanted`.
    ///
    /// # Errors
    /// When there is none, or it is no value of SQL.
    pub fn value(&self, name: &str, wanted: &DataType) -> Result<ScalarValue, String> {
        match self.0.get(name) {
            None => Err(format!("parameter `${name}` has no value")),
            Some(Value::Null) => ScalarValue::try_from(wanted).map_err(|error| format!("parameter `${name}`: {error}")),
            Some(given) => scalar(given).ok_or_else(|| {
                format!("parameter `${name}` is neither text, number, true, false, null nor a list of one of them")
            }),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_types_of_json() {
        let body = br#"{"sql": "SELECT 1", "parameters": [1, 1.5, "x", null, [1, 2], [1, "x"], {}]}"#;
        let values = Asked::read(body, true).expect("it is a body").values();
        let value = |name: &str| values.value(name, &DataType::Int32);
        assert_eq!(value("1"), Ok(ScalarValue::from(1_i64)));
        assert_eq!(value("2"), Ok(ScalarValue::from(1.5_f64)));
        assert_eq!(value("3"), Ok(ScalarValue::from("x")));
        assert_eq!(value("4"), Ok(ScalarValue::Int32(None)));
        for refused in ["0", "6", "7", "8"] {
            assert!(value(refused).is_err(), "{refused}");
        }
        let types: Vec<&str> = values.types().map(|(name, _)| name).collect();
        assert_eq!(types, ["1", "2", "5"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let read = |body: &str| Asked::read(body.as_bytes(), true);
        assert!(read(r#"{"sql": "SELECT 1", "sqk": 1}"#).is_err());
        let asked = read(r#"{"sql": "", "time_zone": "Mars/Olympus", "timeout_seconds": -1}"#).expect("it is a body");
        assert!(asked.time_zone().is_err());
        assert!(asked.timeout().is_err());
    }
}
