//! Spans of time as PostgreSQL has them: `make_interval`, `justify_hours`, `justify_days` and `justify_interval`,
//! intervals times a number and by one, and how long they are, which is what they are compared by.

mod rules;

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, IntervalMonthDayNanoArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;

pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// Nanoseconds of every span.
const LENGTH: DataType = DataType::Decimal128(38, 0);

const SECOND_NANOS: i128 = 1_000_000_000;
const DAY_NANOS: i128 = 86_400 * SECOND_NANOS;
const DAY_SECONDS: f64 = 86_400.0;
/// A month is taken for so many days where it has to be.
const MONTH_DAYS: i128 = 30;

/// Makes the functions known to `context`, and reads operators of spans as them.
pub(super) fn register(context: &SessionContext) -> Result<()> {
    for work in [Work::Make, Work::Hours, Work::Days, Work::Both] {
        context.register_udf(function(work));
    }
    rules::register(context)
}

fn function(work: Work) -> ScalarUDF {
    ScalarUDF::from(OfSpans { work, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfSpans {
    work: Work,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    /// `make_interval(years, months, weeks, days, hours, minutes, seconds)`
    Make,
    /// 24 hours are a day.
    Hours,
    /// 30 days are a month.
    Days,
    Both,
    Times,
    Divided,
    Length,
}

impl ScalarUDFImpl for OfSpans {
    fn name(&self) -> &str {
        match self.work {
            Work::Make => "make_interval",
            Work::Hours => "justify_hours",
            Work::Days => "justify_days",
            Work::Both => "justify_interval",
            Work::Times => "tracewell_interval_times",
            Work::Divided => "tracewell_interval_divided",
            Work::Length => "tracewell_interval_length",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        if self.work == Work::Make {
            let numbers = std::iter::repeat_n(DataType::Int64, 6).chain([DataType::Float64]);
            if types.is_empty() || types.len() > 7 {
                return plan_err!("{name} takes years, months, weeks, days, hours, minutes and seconds");
            }
            return Ok(numbers.take(types.len()).collect());
        }
        let span = match types.first() {
            Some(
                DataType::Interval(_)
                | DataType::Duration(_)
                | DataType::Null
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View,
            ) => INTERVAL,
            _ => return plan_err!("{name} takes an interval"),
        };
        match (self.work, types.len()) {
            (Work::Times | Work::Divided, 2) => Ok(vec![span, DataType::Float64]),
            (Work::Hours | Work::Days | Work::Both | Work::Length, 1) => Ok(vec![span]),
            _ => plan_err!("{name} takes an interval"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(if self.work == Work::Length { LENGTH } else { INTERVAL })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let values = arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let found: ArrayRef = match self.work {
            Work::Make => Arc::new(made(&values, rows)?),
            Work::Length => {
                let lengths: Decimal128Array = intervals(&values[0])?.iter().map(|span| Some(length(span?))).collect();
                Arc::new(lengths.with_data_type(LENGTH))
            }
            Work::Times | Work::Divided => {
                let (spans, numbers) = (intervals(&values[0])?, values[1].as_primitive::<Float64Type>());
                let scaled = spans.iter().zip(numbers).map(|pair| match pair {
                    (Some(span), Some(number)) => scaled(span, number, self.work == Work::Divided).map(Some),
                    _ => Ok(None),
                });
                Arc::new(scaled.collect::<Result<IntervalMonthDayNanoArray>>()?)
            }
            work => {
                let spans = intervals(&values[0])?;
                let justified = spans.iter().map(|span| span.map(|span| justified(span, work)).transpose());
                Arc::new(justified.collect::<Result<IntervalMonthDayNanoArray>>()?)
            }
        };
        Ok(ColumnarValue::Array(found))
    }
}

/// Spans of any type as intervals.
pub(super) fn intervals(spans: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    Ok(cast(spans, &INTERVAL)?.as_primitive::<IntervalMonthDayNanoType>().clone())
}

fn interval(months: i128, days: i128, nanos: i128) -> Result<IntervalMonthDayNano> {
    match (i32::try_from(months), i32::try_from(days), i64::try_from(nanos)) {
        (Ok(months), Ok(days), Ok(nanos)) => Ok(IntervalMonthDayNano::new(months, days, nanos)),
        _ => exec_err!("interval out of range"),
    }
}

fn made(values: &[ArrayRef], rows: usize) -> Result<IntervalMonthDayNanoArray> {
    let (whole, seconds) = values.split_at(values.len().min(6));
    let whole: Vec<&Int64Array> = whole.iter().map(|numbers| numbers.as_primitive::<Int64Type>()).collect();
    let seconds: Option<&Float64Array> = seconds.first().map(|seconds| seconds.as_primitive::<Float64Type>());
    let of_row = |row: usize| -> Result<Option<IntervalMonthDayNano>> {
        if whole.iter().any(|numbers| numbers.is_null(row)) || seconds.is_some_and(|seconds| seconds.is_null(row)) {
            return Ok(None);
        }
        let [years, months, weeks, days, hours, minutes] =
            [0, 1, 2, 3, 4, 5].map(|part| whole.get(part).map_or(0, |numbers| i128::from(numbers.value(row))));
        let micros = seconds.map_or(0.0, |seconds| (seconds.value(row) * 1e6).round());
        if !micros.is_finite() {
            return exec_err!("interval out of range");
        }
        let nanos = ((hours * 60 + minutes) * 60 * SECOND_NANOS).saturating_add(nanos(micros));
        interval(years * 12 + months, weeks * 7 + days, nanos).map(Some)
    };
    (0..rows).map(of_row).collect()
}

/// What PostgreSQL makes of it: of a part of a month days, of a part of a day hours, to the microsecond.
fn scaled(span: IntervalMonthDayNano, number: f64, divided: bool) -> Result<IntervalMonthDayNano> {
    if divided && number == 0.0 {
        return exec_err!("division by zero");
    }
    let scale = |value: f64| if divided { value / number } else { value * number };
    let to_micros = |seconds: f64| (seconds * 1e6).round() / 1e6;
    let (months, days) = (scale(span.months.into()), scale(span.days.into()));
    let of_months = to_micros(months.fract() * MONTH_DAYS as f64);
    let seconds = to_micros((days.fract() + of_months.fract()) * DAY_SECONDS);
    let days = days.trunc() + of_months.trunc() + (seconds / DAY_SECONDS).trunc();
    let micros = (scale(span.nanoseconds as f64 / 1e3) + seconds % DAY_SECONDS * 1e6).round();
    if ![months, days, micros].iter().all(|part| part.is_finite()) {
        return exec_err!("interval out of range");
    }
    interval(months.trunc() as i128, days as i128, nanos(micros))
}

fn nanos(micros: f64) -> i128 {
    (micros as i128).saturating_mul(1_000)
}

fn justified(span: IntervalMonthDayNano, work: Work) -> Result<IntervalMonthDayNano> {
    let (mut months, mut days, mut nanos) =
        (i128::from(span.months), i128::from(span.days), i128::from(span.nanoseconds));
    if work != Work::Days {
        days += nanos / DAY_NANOS;
        nanos %= DAY_NANOS;
    }
    if work != Work::Hours {
        months += days / MONTH_DAYS;
        days %= MONTH_DAYS;
        // The parts have one sign.
        let rest = if work == Work::Both && days == 0 { nanos } else { days };
        let carried = if rest == 0 || months == 0 { 0 } else { i128::from(rest > 0) - i128::from(months > 0) };
        months += carried;
        days -= carried * MONTH_DAYS;
    }
    if work != Work::Days && days != 0 && nanos != 0 {
        let carried = i128::from(nanos > 0) - i128::from(days > 0);
        days += carried;
        nanos -= carried * DAY_NANOS;
    }
    interval(months, days, nanos)
}

/// Nanoseconds, with a day of 24 hours and a month of 30 days.
fn length(span: IntervalMonthDayNano) -> i128 {
    (i128::from(span.months) * MONTH_DAYS + i128::from(span.days)) * DAY_NANOS + i128::from(span.nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn span(months: i32, days: i32, nanos: i64) -> IntervalMonthDayNano {
        IntervalMonthDayNano::new(months, days, nanos)
    }

    /// Examples of PostgreSQL's documentation, and what its server answers.
    #[test]
    fn hours_become_days_and_days_months_of_one_sign() {
        for (given, work, expected) in [
            (span(0, 0, 27 * HOUR), Work::Hours, span(0, 1, 3 * HOUR)),
            (span(0, 1, -HOUR), Work::Hours, span(0, 0, 23 * HOUR)),
            (span(0, -1, HOUR), Work::Hours, span(0, 0, -23 * HOUR)),
            (span(0, 35, 0), Work::Days, span(1, 5, 0)),
            (span(1, -5, 30 * HOUR), Work::Days, span(0, 25, 30 * HOUR)),
            (span(1, 0, -HOUR), Work::Both, span(0, 29, 23 * HOUR)),
            (span(-1, 0, HOUR), Work::Both, span(0, -29, -23 * HOUR)),
            (span(0, 0, 0), Work::Both, span(0, 0, 0)),
        ] {
            assert_eq!(justified(given, work).expect("it is in range"), expected, "{given:?} {work:?}");
        }
    }

    #[test]
    fn parts_of_months_are_days_and_parts_of_days_hours() {
        let times = |given, number| scaled(given, number, false).expect("it is in range");
        assert_eq!(times(span(0, 1, 0), 3.0), span(0, 3, 0));
        assert_eq!(times(span(0, 1, 2 * HOUR), 1.5), span(0, 1, 15 * HOUR));
        assert_eq!(times(span(1, 0, 0), 0.5), span(0, 15, 0));
        assert_eq!(times(span(0, 0, HOUR), -2.0), span(0, 0, -2 * HOUR));
        assert_eq!(scaled(span(0, 1, 0), 2.0, true).expect("it is in range"), span(0, 0, 12 * HOUR));
        assert!(scaled(span(0, 1, 0), 0.0, true).unwrap_err().to_string().contains("division by zero"));
        assert!(scaled(span(1, 0, 0), 1e12, false).unwrap_err().to_string().contains("out of range"));
        assert!(scaled(span(1, 0, 0), f64::NAN, false).is_err());
        assert!(scaled(span(0, 0, HOUR), 1e290, false).is_err());
    }

    #[test]
    fn spans_are_as_long_as_postgresql_takes_them_for() {
        assert_eq!(length(span(0, 1, 0)), length(span(0, 0, 24 * HOUR)));
        assert_eq!(length(span(1, 0, 0)), length(span(0, 30, 0)));
        assert!(length(span(0, 0, 36 * HOUR)) > length(span(0, 1, 0)));
    }
}
