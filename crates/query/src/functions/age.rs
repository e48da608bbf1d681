//! `age(later, earlier)`: what lies between two times in years, months, days and hours, as PostgreSQL counts them.

use std::cmp::Ordering;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use datafusion::arrow::array::{AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::zones::{read, shown};

const NAME: &str = "age";
const DAY_NANOS: i64 = 86_400_000_000_000;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Age(Signature::user_defined(Volatility::Immutable)))
}

/// Of times with a zone it is what lies between what the clocks of their zones show.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Age(Signature);

impl ScalarUDFImpl for Age {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let times: [&DataType; 2] = take_function_args(NAME, types)?;
        let time = |given: &DataType| match given {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Ok(given.clone()),
            DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, None))
            }
            other => plan_err!("age takes times, not {other}"),
        };
        times.into_iter().map(time).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [later, earlier] = take_function_args(NAME, &arguments.args)?;
        let pairs = clocks(later, rows)?.into_iter().zip(clocks(earlier, rows)?);
        let ages: IntervalMonthDayNanoArray = pairs.map(|(later, earlier)| Some(age(later?, earlier?))).collect();
        Ok(ColumnarValue::Array(Arc::new(ages)))
    }
}

/// What the clocks show, to the microsecond.
fn clocks(times: &ColumnarValue, rows: usize) -> Result<Vec<Option<NaiveDateTime>>> {
    let times = times.to_array(rows)?;
    let shown = match times.data_type() {
        DataType::Timestamp(unit, Some(zone)) => shown(&times, *unit, read(zone)?)?,
        _ => times,
    };
    let micros = cast(&cast(&shown, &DataType::Timestamp(TimeUnit::Microsecond, None))?, &DataType::Int64)?;
    let clock = |micros: Option<i64>| Some(DateTime::from_timestamp_micros(micros?)?.naive_utc());
    Ok(micros.as_primitive::<Int64Type>().iter().map(clock).collect())
}

fn age(later: NaiveDateTime, earlier: NaiveDateTime) -> IntervalMonthDayNano {
    let (from, to, sign) = match later.cmp(&earlier) {
        Ordering::Less => (later, earlier, -1),
        _ => (earlier, later, 1),
    };
    let nanos = |time: NaiveDateTime| {
        i64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i64::from(time.nanosecond())
    };
    let month = |time: NaiveDateTime| time.year() * 12 + time.month().cast_signed();
    let mut months = month(to) - month(from);
    let mut days = to.day().cast_signed() - from.day().cast_signed();
    let mut nanos = nanos(to) - nanos(from);
    if nanos < 0 {
        nanos += DAY_NANOS;
        days -= 1;
    }
    // A month that is not whole has the days of the one that it began in.
    while days < 0 {
        days += i32::from(from.num_days_in_month());
        months -= 1;
    }
    IntervalMonthDayNano::new(sign * months, sign * days, i64::from(sign) * nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is an example of PostgreSQL's documentation.
    #[test]
    fn an_age_is_counted_in_months_of_their_own_lengths() {
        let age = |later: &str, earlier: &str| {
            let time = |text: &str| text.parse::<NaiveDateTime>().expect("it is a time");
            let IntervalMonthDayNano { months, days, nanoseconds } = age(time(later), time(earlier));
            (months, days, nanoseconds / 1_000_000_000)
        };
        assert_eq!(age("2001-04-10T00:00:00", "1957-06-13T00:00:00"), (43 * 12 + 9, 27, 0));
        assert_eq!(age("2026-03-01T00:00:00", "2026-01-31T00:00:00"), (1, 1, 0));
        assert_eq!(age("2026-03-01T00:00:00", "2026-01-31T12:00:00"), (1, 0, 43_200));
        assert_eq!(age("2026-01-31T12:00:00", "2026-03-01T00:00:00"), (-1, 0, -43_200));
        assert_eq!(age("2026-11-20T10:30:00", "2026-11-20T10:30:00"), (0, 0, 0));
    }
}
