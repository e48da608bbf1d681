//! Quotients of binary numbers: to DataFusion what is divided by zero is infinite, to PostgreSQL it is an error, as it
//! is of all other numbers.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Datum};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::numeric::div;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr_common::datum::apply;

/// Looks at what is divided by, unless that is a number that is written and not zero.
#[derive(Debug)]
pub(super) struct Quotients;

impl FunctionRewrite for Quotients {
    fn name(&self) -> &str {
        "quotients"
    }

    fn rewrite(&self, mut expression: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        match &mut expression {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
                if let Some(quotient) = quotient(left, right, schema) {
                    return Ok(Transformed::yes(quotient));
                }
            }
            // `b > 0 AND a / b > 2`: conditions are looked at all at once, also of rows that another one leaves out.
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
                let changed = [plain(left)?, plain(right)?];
                if changed.contains(&true) {
                    return Ok(Transformed::yes(expression));
                }
            }
            _ => {}
        }
        Ok(Transformed::no(expression))
    }
}

fn quotient(left: &mut Expr, right: &mut Expr, schema: &DFSchema) -> Option<Expr> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::from(Quotient(Signature::any(2, Volatility::Immutable)))));
    if is_written(right) {
        return None;
    }
    let types = [left.get_type(schema).ok()?, right.get_type(schema).ok()?];
    if !types.iter().any(DataType::is_floating) || !types.iter().all(DataType::is_numeric) {
        return None;
    }
    let result = BinaryTypeCoercer::new(&types[0], &Operator::Divide, &types[1]).get_result_type().ok()?;
    let sides = [left, right].into_iter().zip(&types).map(|(side, given)| {
        let side = std::mem::take(side);
        if *given == result { side } else { datafusion::logical_expr::cast(side, result.clone()) }
    });
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&FUNCTION), sides.collect())))
}

/// Whether a number stands there that is not zero.
fn is_written(divisor: &Expr) -> bool {
    match divisor {
        Expr::Literal(value, _) => {
            matches!(value.cast_to(&DataType::Float64), Ok(ScalarValue::Float64(Some(number))) if number != 0.0)
        }
        Expr::Cast(Cast { expr, .. }) => is_written(expr),
        _ => false,
    }
}

/// Divides in a condition as DataFusion does; whether there was a quotient. Within AND and OR that was done before.
fn plain(condition: &mut Expr) -> Result<bool> {
    if matches!(condition, Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. })) {
        return Ok(false);
    }
    let done = std::mem::take(condition).transform(|inner| match inner {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.inner().is::<Quotient>() => {
            let [left, right] = take_function_args(func.name(), args)?;
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), Operator::Divide, Box::new(right)))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    *condition = done.data;
    Ok(done.transformed)
}

/// The quotient of two binary numbers of one type, which fails where one is divided by zero.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Quotient(Signature);

impl ScalarUDFImpl for Quotient {
    fn name(&self) -> &str {
        "tracewell_divide"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = take_function_args(self.name(), &arguments.args)?;
        apply(left, right, divided)
    }
}

fn divided(left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
    let quotients = div(left, right)?;
    let (divisors, is_one) = right.get();
    let divisors = cast(divisors, &DataType::Float64)?;
    let divisors = divisors.as_primitive::<Float64Type>();
    let by_zero = |row: usize| quotients.is_valid(row) && divisors.value(if is_one { 0 } else { row }) == 0.0;
    if (0..quotients.len()).any(by_zero) { Err(ArrowError::DivideByZero) } else { Ok(quotients) }
}
