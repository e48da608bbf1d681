//! `date_part` and `extract` as PostgreSQL has them: seconds with their fraction, of what lies between two times whole
//! days as days, and of years their days.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, IntervalMonthDayNano};
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;
use tracewell_requests::postgres::text::brought;

use super::spans::{INTERVAL, intervals};

const NAME: &str = "date_part";
const MINUTE_NANOS: i64 = 60_000_000_000;

/// Puts it in place of the one that knows whole seconds only.
pub(super) fn register(context: &SessionContext) {
    let inner = context.state().scalar_functions().get(NAME).cloned();
    if let Some(inner) = inner {
        context.register_udf(ScalarUDF::from(DatePart { inner }));
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DatePart {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let part = arguments.scalar_arguments.first().copied().flatten().and_then(|part| part.try_as_str().flatten());
        if part.is_some_and(is_second) {
            return Ok(Arc::new(Field::new(NAME, DataType::Float64, true)));
        }
        self.inner.return_field_from_args(arguments)
    }

    fn preimage(&self, arguments: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.inner.preimage(arguments, literal, info)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [part, value] = take_function_args(NAME, &arguments.args)?;
        let part = match part {
            ColumnarValue::Scalar(part) => part.try_as_str().flatten().unwrap_or_default().to_ascii_lowercase(),
            ColumnarValue::Array(_) => String::new(),
        };
        let given = value.data_type();
        match (&given, is_second(&part)) {
            (DataType::Duration(_) | DataType::Interval(_), true) => {
                let spans = intervals(&value.to_array(rows)?)?;
                let seconds: Float64Array =
                    spans.iter().map(|span| Some((span?.nanoseconds % MINUTE_NANOS) as f64 / 1e9)).collect();
                Ok(ColumnarValue::Array(Arc::new(seconds)))
            }
            (_, true) => {
                arguments.args[0] = ColumnarValue::Scalar("microsecond".into());
                arguments.return_field = Arc::new(Field::new(NAME, DataType::Int32, true));
                let micros = cast(&self.inner.invoke_with_args(arguments)?.to_array(rows)?, &DataType::Float64)?;
                let seconds: Float64Array = micros.as_primitive::<Float64Type>().unary(|micros| micros / 1e6);
                Ok(ColumnarValue::Array(Arc::new(seconds)))
            }
            (DataType::Interval(_), false) if part == "epoch" => {
                let spans = intervals(&value.to_array(rows)?)?;
                let seconds: Float64Array = spans.iter().map(|span| Some(seconds(span?))).collect();
                Ok(ColumnarValue::Array(Arc::new(seconds)))
            }
            (DataType::Duration(_), false) if part != "epoch" => {
                arguments.args[1] = ColumnarValue::Array(brought(&value.to_array(rows)?)?);
                arguments.arg_fields[1] = Arc::new(Field::new(NAME, INTERVAL, true));
                self.inner.invoke_with_args(arguments)
            }
            _ => self.inner.invoke_with_args(arguments),
        }
    }
}

/// How long a span is: a year has 365.25 days, and a month that is not of a whole year has 30.
fn seconds(span: IntervalMonthDayNano) -> f64 {
    let (years, months) = (f64::from(span.months / 12), f64::from(span.months % 12));
    (years * 365.25 + months * 30.0 + f64::from(span.days)) * 86_400.0 + span.nanoseconds as f64 / 1e9
}

/// Whether a part is the seconds, by any of its names.
fn is_second(part: &str) -> bool {
    let part = part.trim_matches(['\'', '"']);
    ["s", "sec", "secs", "second", "seconds"].iter().any(|known| known.eq_ignore_ascii_case(part))
}
