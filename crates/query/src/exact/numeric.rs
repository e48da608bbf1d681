//! `numeric` without digits: a decimal with those that the value has.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Digits behind the point of texts that become numbers, whose types do not say how many.
const BEHIND: i8 = 18;

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
            [text] if text.is_string() => Ok(DataType::Decimal128(38, BEHIND)),
            // What a bare `numeric` is to DataFusion.
            _ => Ok(DataType::Decimal128(38, 10)),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), &arguments.args)?;
        if value.data_type().is_string() {
            let texts =
                value.to_array(if matches!(value, ColumnarValue::Scalar(_)) { 1 } else { arguments.number_rows })?;
            let texts = cast(&texts, &DataType::Utf8View)?;
            if let Some(long) = texts.as_string_view().iter().flatten().find(|text| behind(text) > i64::from(BEHIND)) {
                return exec_err!(
                    "`{long}` is out of range: a column of numeric keeps {BEHIND} digits behind the point; say how many, \
                     as in numeric(38, 30)"
                );
            }
        }
        value.cast_to(arguments.return_field.data_type(), None)
    }
}

/// How many digits behind the point a number may have that is written with or without an exponent.
fn behind(text: &str) -> i64 {
    let (digits, exponent) = text.trim().split_once(['e', 'E']).unwrap_or((text.trim(), "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let part = digits.split_once('.').map_or("", |(_, part)| part);
    i64::try_from(part.trim_end_matches('0').len()).unwrap_or(i64::MAX).saturating_sub(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_behind_the_point_are_counted() {
        for (text, expected) in
            [("1.5", 1), ("-0.120", 2), ("1e-20", 20), ("1.25e1", 1), ("12", 0), (" 1.5 ", 1), ("x", 0)]
        {
            assert_eq!(behind(text), expected, "{text}");
        }
    }
}
