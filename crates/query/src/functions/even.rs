//! `tracewell_even(x)`: a binary number without what stands behind its point, halves to the even number, as PostgreSQL
//! rounds those. DataFusion's `round` takes halves away from zero, as PostgreSQL does with decimals.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

pub(super) fn function() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::from(Even(Signature::any(1, Volatility::Immutable)))));
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Even(Signature);

impl ScalarUDFImpl for Even {
    fn name(&self) -> &str {
        "tracewell_even"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [binary] if binary.is_floating() => Ok(binary.clone()),
            _ => plan_err!("tracewell_even takes a binary number"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), &arguments.args)?;
        let numbers = cast(&value.to_array(arguments.number_rows)?, &DataType::Float64)?;
        let even: Float64Array = numbers.as_primitive::<Float64Type>().unary(f64::round_ties_even);
        let even: ArrayRef = Arc::new(even);
        Ok(ColumnarValue::Array(cast(&even, arguments.return_type())?))
    }
}
