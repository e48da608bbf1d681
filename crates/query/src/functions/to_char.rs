//! `to_char` by PostgreSQL's patterns, such as `YYYY-MM-DD HH24:MI:SS` and `FM9,999.00`, beside those of `strftime` for
//! times, which have a `%`.

mod number;
mod pattern;

use std::sync::Arc;

use arrow::array::timezone::Tz;
use chrono::{NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::OffsetName;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, IntervalMonthDayNanoArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use self::pattern::{Pattern, Shown};
use super::zones::{naive, of_second, read};

const NAME: &str = "to_char";
const DAY_SECONDS: i64 = 86_400;

/// Puts it in place of the one that knows patterns of `strftime` only.
pub(super) fn register(context: &SessionContext) {
    let inner = context.state().scalar_functions().get(NAME).cloned();
    if let Some(inner) = inner {
        context
            .register_udf(ScalarUDF::from(ToChar { inner, signature: Signature::user_defined(Volatility::Immutable) }));
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, _] = take_function_args(NAME, types)?;
        let value = match value {
            time if time.is_temporal() => time.clone(),
            DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                DataType::Timestamp(TimeUnit::Nanosecond, None)
            }
            number if number.is_numeric() => number.clone(),
            other => return plan_err!("to_char writes times and numbers, not {other}"),
        };
        Ok(vec![value, DataType::Utf8])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [value, pattern] = take_function_args(NAME, &arguments.args)?;
        if value.data_type().is_numeric() {
            return numbers_by(&value.to_array(rows)?, &pattern.to_array(rows)?);
        }
        if matches!(pattern, ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) if is_of_strftime(text)) {
            return self.inner.invoke_with_args(arguments);
        }
        let value = value.to_array(rows)?;
        let times = Times::of(&value)?;
        let patterns = pattern.to_array(rows)?;
        let patterns = patterns.as_string::<i32>();
        let mut known: Option<(&str, Pattern)> = None;
        let mut written = Vec::with_capacity(rows);
        for (row, text) in patterns.iter().enumerate() {
            written.push(match text {
                // As PostgreSQL has it.
                None | Some("") => None,
                Some(text) if is_of_strftime(text) => self.by_strftime(&arguments, value.slice(row, 1), text)?,
                Some(text) => {
                    let pattern = match known.take() {
                        Some((same, pattern)) if same == text => pattern,
                        _ => Pattern::read(text),
                    };
                    let shown = times.shown(row, text).map(|shown| pattern.write(&shown)).transpose();
                    known = Some((text, pattern));
                    shown.map_err(DataFusionError::Execution)?
                }
            });
        }
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(written))))
    }
}

impl ToChar {
    /// One value by a pattern of `strftime`. By a column of patterns the inner function writes all values by the first.
    fn by_strftime(&self, arguments: &ScalarFunctionArgs, value: ArrayRef, pattern: &str) -> Result<Option<String>> {
        let args = vec![ColumnarValue::Array(value), ColumnarValue::Scalar(pattern.into())];
        let one = ScalarFunctionArgs { args, number_rows: 1, ..arguments.clone() };
        let written = self.inner.invoke_with_args(one)?.into_array(1)?;
        let written = written.as_string::<i32>();
        Ok(written.is_valid(0).then(|| written.value(0).to_owned()))
    }
}

/// Numbers by patterns of their own.
fn numbers_by(numbers: &ArrayRef, patterns: &ArrayRef) -> Result<ColumnarValue> {
    let binary = numbers.data_type().is_floating().then(|| cast(numbers, &DataType::Float64)).transpose()?;
    let exact = cast(numbers, &DataType::Utf8)?;
    let exact = exact.as_string::<i32>();
    let mut known: Option<(&str, number::Pattern)> = None;
    let mut written = Vec::with_capacity(numbers.len());
    for (row, text) in patterns.as_string::<i32>().iter().enumerate() {
        let Some(text) = text.filter(|_| numbers.is_valid(row)) else {
            written.push(None);
            continue;
        };
        if known.as_ref().is_none_or(|(same, _)| *same != text) {
            known = Some((text, number::Pattern::read(text).map_err(DataFusionError::Execution)?));
        }
        let Some((_, pattern)) = &known else { continue };
        written.push(Some(match &binary {
            Some(binary) => {
                let (value, behind) = (binary.as_primitive::<Float64Type>().value(row), pattern.behind());
                pattern.write(value.is_finite().then(|| format!("{value:.behind$}")).as_deref())
            }
            None => pattern.write(Some(exact.value(row))),
        }));
    }
    Ok(ColumnarValue::Array(Arc::new(StringArray::from(written))))
}

/// DataFusion's own words for durations are kept too.
fn is_of_strftime(pattern: &str) -> bool {
    pattern.contains('%') || ["iso8601", "pretty"].iter().any(|known| known.eq_ignore_ascii_case(pattern))
}

fn numbers(values: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(values, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

/// A column of times, or of spans of time.
enum Times {
    /// With the zone, and where it has one its entry in the tz database, which knows what its clocks are called.
    Moments(Int64Array, TimeUnit, Option<Tz>, Option<chrono_tz::Tz>),
    Lengths(Int64Array, TimeUnit),
    Intervals(IntervalMonthDayNanoArray),
}

impl Times {
    fn of(values: &ArrayRef) -> Result<Self> {
        Ok(match values.data_type() {
            DataType::Timestamp(unit, zone) => {
                let named = zone.as_deref().and_then(|zone| zone.parse().ok());
                Self::Moments(numbers(values)?, *unit, zone.as_deref().map(read).transpose()?, named)
            }
            DataType::Duration(unit) => Self::Lengths(numbers(values)?, *unit),
            DataType::Time32(_) | DataType::Time64(_) => {
                let nanos = cast(values, &DataType::Time64(TimeUnit::Nanosecond))?;
                Self::Lengths(numbers(&nanos)?, TimeUnit::Nanosecond)
            }
            DataType::Interval(_) => {
                let intervals = cast(values, &DataType::Interval(IntervalUnit::MonthDayNano))?;
                Self::Intervals(intervals.as_primitive::<IntervalMonthDayNanoType>().clone())
            }
            _ => {
                let seconds = cast(values, &DataType::Timestamp(TimeUnit::Second, None))?;
                Self::Moments(numbers(&seconds)?, TimeUnit::Second, None, None)
            }
        })
    }

    /// What `pattern` may ask of a value; `None` where it is NULL, or beyond the calendar.
    fn shown(&self, row: usize, pattern: &str) -> Option<Shown> {
        match self {
            Self::Moments(values, unit, zone, named) => {
                let value = values.is_valid(row).then(|| values.value(row))?;
                let utc = naive(value, *unit)?;
                let offset = zone.map(|zone| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
                let local = utc.checked_add_signed(TimeDelta::seconds(offset.unwrap_or(0).into()))?;
                let nanos = value.rem_euclid(of_second(*unit)) * (1_000_000_000 / of_second(*unit));
                let named = named.filter(|_| pattern.contains(['T', 't']));
                Some(Shown::at(local, nanos, offset, named.and_then(|zone| clocks(zone, utc))))
            }
            Self::Lengths(values, unit) => {
                let value = values.is_valid(row).then(|| values.value(row))?;
                let (second, part) = (value / of_second(*unit), value % of_second(*unit));
                let nanos = part * (1_000_000_000 / of_second(*unit));
                Some(Shown::span(0, second / DAY_SECONDS, second % DAY_SECONDS, nanos))
            }
            Self::Intervals(values) => {
                let value = values.is_valid(row).then(|| values.value(row))?;
                let (second, nanos) = (value.nanoseconds / 1_000_000_000, value.nanoseconds % 1_000_000_000);
                Some(Shown::span(value.months.into(), value.days.into(), second, nanos))
            }
        }
    }
}

/// What the clocks of a zone go by at a moment; `None` where that is their offset.
fn clocks(zone: chrono_tz::Tz, utc: NaiveDateTime) -> Option<String> {
    let offset = zone.offset_from_utc_datetime(&utc);
    offset.abbreviation().filter(|name| !name.starts_with(['+', '-'])).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Berlin changes its clocks; in London they show UTC in winter; in São Paulo they have no name.
    #[test]
    fn a_zone_is_told_by_what_its_clocks_are_called_then() {
        let named = |zone: &str, month| {
            let utc = chrono::NaiveDate::from_ymd_opt(2026, month, 1).and_then(|date| date.and_hms_opt(10, 0, 0));
            clocks(zone.parse().expect("it is a zone"), utc.expect("it is a time"))
        };
        assert_eq!(named("Europe/Berlin", 1).as_deref(), Some("CET"));
        assert_eq!(named("Europe/Berlin", 7).as_deref(), Some("CEST"));
        assert_eq!(named("Europe/London", 1).as_deref(), Some("GMT"));
        assert_eq!(named("Etc/UTC", 1).as_deref(), Some("UTC"));
        assert_eq!(named("America/Sao_Paulo", 1), None);
    }
}
