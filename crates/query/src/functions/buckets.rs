//! `width_bucket(x, low, high, count)`: in which of `count` parts of the same width `x` is; 0 below them, `count + 1`
//! above. Exact where the numbers are.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, Decimal256Type, Float64Type, Int64Type, i256};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

const NAME: &str = "width_bucket";

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(WidthBucket(Signature::user_defined(Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WidthBucket(Signature);

impl ScalarUDFImpl for WidthBucket {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, low, high, count] = take_function_args(NAME, types)?;
        let numbers = [value, low, high];
        let is_number = |given: &DataType| given.is_numeric() || given.is_null();
        if !numbers.into_iter().all(is_number) || !(count.is_integer() || count.is_null()) {
            return plan_err!("{NAME} takes three numbers and how many parts there are");
        }
        let one = if numbers.iter().any(|given| given.is_floating()) {
            DataType::Float64
        } else {
            DataType::Decimal256(76, numbers.into_iter().map(scale).max().unwrap_or(0))
        };
        Ok(vec![one.clone(), one.clone(), one, DataType::Int64])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let values = arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let [value, low, high, count] = take_function_args(NAME, &values)?;
        let counts = count.as_primitive::<Int64Type>();
        let is_known = |row: usize| values.iter().all(|values| values.is_valid(row));
        let of_row = |row: usize| -> Result<Option<i64>> {
            if !is_known(row) {
                return Ok(None);
            }
            let count = counts.value(row);
            if *value.data_type() == DataType::Float64 {
                let [value, low, high] = [value, low, high].map(|of| of.as_primitive::<Float64Type>().value(row));
                let part = |value: f64| Some(((value - low) / (high - low) * count as f64) as i64);
                return bucket(value, low, high, count, part).map(Some);
            }
            let [value, low, high] = [value, low, high].map(|of| of.as_primitive::<Decimal256Type>().value(row));
            let part = |value: i256| {
                let of_all = value.checked_sub(low)?.checked_mul(i256::from_i128(count.into()))?;
                of_all.checked_div(high.checked_sub(low)?)?.to_i128().and_then(|part| i64::try_from(part).ok())
            };
            bucket(value, low, high, count, part).map(Some)
        };
        let buckets = (0..rows).map(of_row).collect::<Result<Int64Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(buckets)))
    }
}

/// Digits behind the point.
fn scale(given: &DataType) -> i8 {
    match given {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

/// `part` tells how many parts there are before a value between the bounds.
fn bucket<T: Copy + PartialOrd>(
    value: T,
    low: T,
    high: T,
    count: i64,
    part: impl FnOnce(T) -> Option<i64>,
) -> Result<i64> {
    if count <= 0 {
        return exec_err!("{NAME}: the count must be greater than zero");
    }
    let (Some(bounds), Some(below)) = (low.partial_cmp(&high), value.partial_cmp(&low)) else {
        return exec_err!("{NAME}: a number is NaN");
    };
    if bounds.is_eq() {
        return exec_err!("{NAME}: the lower bound cannot be the upper one");
    }
    // The bounds may be given in descending order.
    let (is_below, is_above) =
        if bounds.is_lt() { (below.is_lt(), value >= high) } else { (below.is_gt(), value <= high) };
    match part(value) {
        _ if is_below => Ok(0),
        _ if is_above => Ok(count.saturating_add(1)),
        Some(part) => Ok(part.clamp(0, count - 1) + 1),
        None => exec_err!("{NAME}: a number is out of range"),
    }
}
