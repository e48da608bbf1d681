//! Quotients of binary numbers: to DataFusion what is divided by zero is infinite, to PostgreSQL it is an error, as it
//! is of all other numbers. Where a condition may come after what it guards, a quotient stays infinite.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Datum};
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::kernels::numeric::div;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::{FunctionRewrite, NamePreserver};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_expr_common::datum::apply;

/// Looks at what is divided by, unless that is a number that is written and not zero.
#[derive(Debug)]
pub(super) struct Quotients;

impl FunctionRewrite for Quotients {
    fn name(&self) -> &str {
        "quotients"
    }

    fn rewrite(&self, mut expression: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) = &mut expression
            && let Some(quotient) = quotient(left, right, schema)
        {
            return Ok(Transformed::yes(quotient));
        }
        Ok(Transformed::no(expression))
    }
}

/// Divides as DataFusion does except in what is shown of groups and of rows that are written: rows of a table may be
/// divided before a condition leaves them out.
#[derive(Debug)]
pub(super) struct Plain;

impl OptimizerRule for Plain {
    fn name(&self) -> &str {
        "plain_quotients"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if matches!(plan, LogicalPlan::Extension(_)) {
            return Ok(Transformed::no(plan));
        }
        let is_shown = matches!(plan, LogicalPlan::Projection(_)) && is_of_groups(&plan);
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            if !expression.exists(|inner| Ok(is_quotient(inner)))? {
                return Ok(Transformed::no(expression));
            }
            let name = names.save(&expression);
            let done = if is_shown { expression.transform_down(in_condition) } else { expression.transform(plain) }?;
            Ok(done.update_data(|expression| name.restore(expression)))
        })
    }
}

/// Whether no condition stands between what is shown and the groups, or the rows that are written, that it is of.
fn is_of_groups(mut plan: &LogicalPlan) -> bool {
    loop {
        plan = match plan {
            LogicalPlan::Projection(projection) => projection.input.as_ref(),
            LogicalPlan::SubqueryAlias(alias) => alias.input.as_ref(),
            other => {
                return matches!(
                    other,
                    LogicalPlan::Aggregate(_) | LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_)
                );
            }
        };
    }
}

fn is_quotient(expression: &Expr) -> bool {
    matches!(expression, Expr::ScalarFunction(ScalarFunction { func, .. }) if func.inner().is::<Quotient>())
}

/// `b > 0 AND a / b > 2`: both are looked at, also of rows that one of them leaves out.
fn in_condition(expression: Expr) -> Result<Transformed<Expr>> {
    if !matches!(expression, Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. })) {
        return Ok(Transformed::no(expression));
    }
    let done = expression.transform(plain)?;
    Ok(Transformed::new(done.data, done.transformed, TreeNodeRecursion::Jump))
}

fn plain(expression: Expr) -> Result<Transformed<Expr>> {
    match expression {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.inner().is::<Quotient>() => {
            let [left, right] = take_function_args(func.name(), args)?;
            let quotient = BinaryExpr::new(Box::new(left), Operator::Divide, Box::new(right));
            Ok(Transformed::yes(Expr::BinaryExpr(quotient)))
        }
        other => Ok(Transformed::no(other)),
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
    let by_zero = |row: usize| divisors.value(if is_one { 0 } else { row }) == 0.0 && quotients.is_valid(row);
    if (0..quotients.len()).any(by_zero) { Err(ArrowError::DivideByZero) } else { Ok(quotients) }
}
