//! Times by the clocks of a time zone: `x AT TIME ZONE 'zone'`, and `date_bin` over times with a zone.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use crate::zone::{AT_TIME_ZONE, is_utc};

const DATE_BIN: &str = "date_bin";

/// Makes both known to `context`.
pub(super) fn register(context: &SessionContext) {
    context.register_udf(at_time_zone());
    let inner = context.state().scalar_functions().get(DATE_BIN).cloned();
    if let Some(inner) = inner {
        context.register_udf(ScalarUDF::from(DateBin { inner }));
    }
}

pub(super) fn at_time_zone() -> ScalarUDF {
    ScalarUDF::from(AtTimeZone(Signature::any(2, Volatility::Immutable)))
}

/// `tracewell_at_time_zone(time, zone)`: of a moment what the clocks of the zone show then, as a time without a zone; of
/// a time without a zone the moment at which they show it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone(Signature);

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        AT_TIME_ZONE
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the zone tells the type")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let zone = arguments.scalar_arguments.get(1).copied().flatten().and_then(|zone| zone.try_as_str().flatten());
        let (Some(time), Some(zone)) = (arguments.arg_fields.first(), zone) else {
            return plan_err!("AT TIME ZONE takes a time and the name of a zone");
        };
        read(zone)?;
        let data_type = match time.data_type() {
            DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, None),
            DataType::Timestamp(unit, None) => DataType::Timestamp(*unit, Some(zone.into())),
            _ => DataType::Timestamp(TimeUnit::Nanosecond, Some(zone.into())),
        };
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time, zone] = take_function_args(self.name(), &arguments.args)?;
        let ColumnarValue::Scalar(zone) = zone else { return plan_err!("the zone of AT TIME ZONE is no column") };
        let DataType::Timestamp(unit, None) = arguments.return_type() else {
            return time.cast_to(arguments.return_type(), None);
        };
        let zone = read(zone.try_as_str().flatten().unwrap_or_default())?;
        Ok(ColumnarValue::Array(shown(&time.to_array(arguments.number_rows)?, *unit, zone)?))
    }
}

/// DataFusion's `date_bin`, with times that have a zone binned by its clocks: a bin of a day begins at midnight there,
/// also where the day has 23 or 25 hours.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DateBin {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for DateBin {
    fn name(&self) -> &str {
        DATE_BIN
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (unit, zone) = match arguments.return_type() {
            DataType::Timestamp(unit, Some(zone)) if !is_utc(zone) => (*unit, Arc::clone(zone)),
            _ => return self.inner.invoke_with_args(arguments),
        };
        let clock = read(&zone)?;
        let whole = DataType::Timestamp(unit, Some(Arc::clone(&zone)));
        let moments = cast(&arguments.args[1].to_array(arguments.number_rows)?, &whole)?;
        // What the clocks show, of the time and of the origin.
        for (value, field) in arguments.args.iter_mut().zip(&mut arguments.arg_fields).skip(1) {
            let DataType::Timestamp(own, _) = value.data_type() else { continue };
            let bare = DataType::Timestamp(own, None);
            let shown = match &*value {
                ColumnarValue::Scalar(one) if matches!(one.data_type(), DataType::Timestamp(_, Some(_))) => {
                    ColumnarValue::Scalar(ScalarValue::try_from_array(&shown(&one.to_array()?, own, clock)?, 0)?)
                }
                ColumnarValue::Array(many) if matches!(many.data_type(), DataType::Timestamp(_, Some(_))) => {
                    ColumnarValue::Array(shown(many, own, clock)?)
                }
                _ => continue,
            };
            *value = shown;
            *field = Arc::new(field.as_ref().clone().with_data_type(bare));
        }
        let bare = DataType::Timestamp(unit, None);
        arguments.return_field = Arc::new(arguments.return_field.as_ref().clone().with_data_type(bare));
        let rows = arguments.number_rows;
        let starts = cast(&self.inner.invoke_with_args(arguments)?.to_array(rows)?, &DataType::Int64)?;
        let moments = cast(&moments, &DataType::Int64)?;
        let pairs = starts.as_primitive::<Int64Type>().iter().zip(moments.as_primitive::<Int64Type>());
        let starts: Int64Array = pairs.map(|(start, moment)| begun(start?, moment?, unit, clock)).collect();
        Ok(ColumnarValue::Array(cast(&cast(&starts, &DataType::Timestamp(unit, Some("UTC".into())))?, &whole)?))
    }
}

pub(super) fn read(zone: &str) -> Result<Tz> {
    zone.parse().or_else(|_| {
        plan_err!("`{zone}` is no time zone; give a name such as Europe/Berlin, or an offset such as +02:00")
    })
}

/// How many of a unit are a second.
pub(super) const fn of_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// To the second.
pub(super) fn naive(value: i64, unit: TimeUnit) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp(value.div_euclid(of_second(unit)), 0)?.naive_utc())
}

fn in_unit(offset: FixedOffset, unit: TimeUnit) -> i64 {
    i64::from(offset.local_minus_utc()) * of_second(unit)
}

/// What the clocks show at these moments, as times without a zone.
pub(super) fn shown(moments: &ArrayRef, unit: TimeUnit, clock: Tz) -> Result<ArrayRef> {
    let moments = cast(&cast(moments, &DataType::Timestamp(unit, Some("UTC".into())))?, &DataType::Int64)?;
    let shown: Int64Array = moments
        .as_primitive::<Int64Type>()
        .iter()
        .map(|moment| {
            let offset = clock.offset_from_utc_datetime(&naive(moment?, unit)?).fix();
            moment?.checked_add(in_unit(offset, unit))
        })
        .collect();
    Ok(cast(&shown, &DataType::Timestamp(unit, None))?)
}

/// The last moment, not after `moment`, at which the clocks show `start`; when they never show it, the one that the
/// clocks before or after they were changed would have had.
fn begun(start: i64, moment: i64, unit: TimeUnit, clock: Tz) -> Option<i64> {
    let local = naive(start, unit)?;
    let offsets = match clock.offset_from_local_datetime(&local) {
        MappedLocalTime::Single(offset) => [offset.fix(); 2],
        MappedLocalTime::Ambiguous(one, other) => [one.fix(), other.fix()],
        MappedLocalTime::None => [-1, 1].map(|days| {
            let near = local.checked_add_signed(TimeDelta::days(days)).unwrap_or(local);
            clock.offset_from_utc_datetime(&near).fix()
        }),
    };
    let mut moments = offsets.map(|offset| start - in_unit(offset, unit));
    moments.sort_unstable();
    moments.into_iter().rev().find(|begun| *begun <= moment).or(Some(moments[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect("it is a time").timestamp()
    }

    /// The first moment of a bin that begins when the clocks of `zone` show `start`.
    fn bin(zone: &str, start: &str, moment: &str) -> i64 {
        let start = seconds(&format!("{start}Z"));
        begun(start, seconds(moment), TimeUnit::Second, read(zone).expect("it is a zone")).expect("it is in range")
    }

    /// The tz database: Berlin goes back on 25 October 2026 at 01:00 UTC; in São Paulo 4 November 2018 began at 01:00,
    /// which is 03:00 UTC.
    #[test]
    fn an_hour_that_clocks_show_twice_is_two_bins_and_one_that_they_never_show_begins_when_they_are_changed() {
        let berlin = |moment| bin("Europe/Berlin", "2026-10-25T02:00:00", moment);
        assert_eq!(berlin("2026-10-25T00:30:00Z"), seconds("2026-10-25T00:00:00Z"));
        assert_eq!(berlin("2026-10-25T01:30:00Z"), seconds("2026-10-25T01:00:00Z"));
        let day = bin("America/Sao_Paulo", "2018-11-04T00:00:00", "2018-11-04T12:00:00Z");
        assert_eq!(day, seconds("2018-11-04T03:00:00Z"));
        assert_eq!(bin("+02:00", "2026-07-01T00:00:00", "2026-07-01T10:00:00Z"), seconds("2026-06-30T22:00:00Z"));
    }
}
