//! `model_cost(model, time, input_tokens, output_tokens, …)`: what a call would cost.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::price::{TIME, amount_type, costs_of};
use crate::prices::Prices;

/// The arguments after the time; the last two may be left out.
const COUNTS: [&str; 4] = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"];

pub(super) fn function(prices: &Arc<Prices>) -> ScalarUDF {
    ScalarUDF::from(ModelCost { signature: Signature::variadic_any(Volatility::Immutable), prices: Arc::clone(prices) })
}

/// `model_cost(model, time, input_tokens, output_tokens[, cache_read_tokens[, cache_write_tokens]])`: what a call of the
/// model would cost in US dollars by the prices in force at that time. The input includes what is read from and written
/// to the cache. NULL where there is no price.
#[derive(Debug)]
struct ModelCost {
    signature: Signature,
    prices: Arc<Prices>,
}

impl PartialEq for ModelCost {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.prices, &other.prices)
    }
}

impl Eq for ModelCost {}

impl std::hash::Hash for ModelCost {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.prices).hash(state);
    }
}

impl ScalarUDFImpl for ModelCost {
    fn name(&self) -> &str {
        "model_cost"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [_, time, counts @ ..] = arguments else { return self.misused() };
        if !matches!(counts.len(), 2..=4) || !matches!(time, DataType::Timestamp(..) | DataType::Null) {
            return self.misused();
        }
        Ok(amount_type())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = arguments.args.iter().map(|value| value.to_array(arguments.number_rows));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let [model, time, counts @ ..] = &columns[..] else { return self.misused() };
        let model = cast(model, &DataType::Utf8View)?;
        let time = cast(&cast(time, &DataType::Timestamp(TimeUnit::Nanosecond, None))?, &DataType::Int64)?;
        let mut members: Vec<(&str, ArrayRef)> = vec![("request_model", model), (TIME, time)];
        for (name, count) in COUNTS.into_iter().zip(counts) {
            members.push((name, cast(count, &DataType::Int64)?));
        }
        let members = members
            .into_iter()
            .map(|(name, column)| (Arc::new(Field::new(name, column.data_type().clone(), true)), column));
        let calls = StructArray::from(members.collect::<Vec<_>>());
        Ok(ColumnarValue::Array(costs_of(&calls, &self.prices)?))
    }
}

impl ModelCost {
    fn misused<T>(&self) -> Result<T> {
        plan_err!(
            "{} takes a model, a timestamp, input_tokens, output_tokens, and as it may be cache_read_tokens and \
             cache_write_tokens",
            self.name()
        )
    }
}
