//! `numeric` without digits: a decimal with those that the value has.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub(super) const NAME: &str = "tracewell_numeric";

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Numeric(Signature::any(1, Volatility::Immutable)))
}

/// `tracewell_numeric(value)`: what `value::numeric` is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Numeric(Signature);

impl ScalarUDFImpl for Numeric {
    fn name(&self) -> &str {
        NAME
    }

    /// A cast goes by the name of what is cast.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        Ok(arguments.iter().map(|argument| argument.schema_name().to_string()).collect())
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [decimal] if decimal.is_decimal() => Ok(decimal.clone()),
            [integer] if integer.is_integer() => Ok(DataType::Decimal128(20, 0)),
            [DataType::Boolean] => plan_err!("a boolean is no numeric"),
            // What a bare `numeric` is to DataFusion.
            _ => Ok(DataType::Decimal128(38, 10)),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), &arguments.args)?;
        value.cast_to(arguments.return_field.data_type(), None)
    }
}
