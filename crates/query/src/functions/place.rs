//! `tracewell_place(place)`: what the place in `items[place]` is read as. There are none below 1: DataFusion would
//! count them from the end.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

pub(crate) const PLACE: &str = "tracewell_place";

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Place(Signature::any(1, Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Place(Signature);

impl ScalarUDFImpl for Place {
    fn name(&self) -> &str {
        PLACE
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    /// The key of a map stays as it is.
    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [given] = take_function_args(PLACE, types)?;
        Ok(if given.is_integer() { DataType::Int64 } else { given.clone() })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [place] = take_function_args(PLACE, &arguments.args)?;
        if !place.data_type().is_integer() {
            return Ok(place.clone());
        }
        let places = cast(&place.to_array(arguments.number_rows)?, &DataType::Int64)?;
        let places = places.as_primitive::<Int64Type>().iter().map(|place| place.filter(|place| *place > 0));
        Ok(ColumnarValue::Array(Arc::new(places.collect::<Int64Array>())))
    }
}
