//! Integers that do not wrap around, and decimals beside binary numbers.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::compute::kernels::numeric::{add, mul, sub};
use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::{AggregateFunction, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, cast, lit,
};
use datafusion::physical_expr_common::datum::apply;

use super::numeric::Numeric;
use crate::zone::with_seconds;

/// Functions whose arguments are of one type, which is that of the result.
const OF_ONE_TYPE: [&str; 6] = ["coalesce", "nvl", "nullif", "greatest", "least", "make_array"];

/// Digits behind the point that are averaged.
const AVERAGED: i8 = 12;

/// Rewrites expressions before their types are made to agree.
#[derive(Debug)]
pub(super) struct Exact;

impl FunctionRewrite for Exact {
    fn name(&self) -> &str {
        "exact_numbers"
    }

    fn rewrite(&self, mut expression: Expr, schema: &DFSchema, options: &ConfigOptions) -> Result<Transformed<Expr>> {
        let changed = match &mut expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if arithmetic(*op).is_some() => {
                return Ok(match checked(left, *op, right, schema) {
                    Some(checked) => Transformed::yes(checked),
                    None => Transformed::no(expression),
                });
            }
            Expr::Negative(value) => {
                let zero = value.get_type(schema).and_then(|data_type| ScalarValue::new_zero(&data_type));
                let negated = zero.ok().and_then(|zero| checked(&mut lit(zero), Operator::Minus, value, schema));
                return Ok(match negated {
                    Some(negated) => Transformed::yes(negated),
                    None => Transformed::no(expression),
                });
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.inner().is::<Numeric>() => {
                let [value] = take_function_args(func.name(), std::mem::take(args))?;
                let given = value.get_type(schema)?;
                let exact = func.return_type(std::slice::from_ref(&given))?;
                return Ok(Transformed::yes(if given == exact { value } else { cast(value, exact) }));
            }
            Expr::AggregateFunction(AggregateFunction { func, params }) if func.name() == "avg" => {
                params.args.first_mut().is_some_and(|value| has_room(value, schema))
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if OF_ONE_TYPE.contains(&func.name()) => {
                agree(args.iter_mut(), schema)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() => {
                compare(vec![left.as_mut(), right.as_mut()], schema, options)
            }
            Expr::Between(Between { expr, low, high, .. }) => {
                compare(vec![expr.as_mut(), low.as_mut(), high.as_mut()], schema, options)
            }
            Expr::InList(InList { expr, list, .. }) => {
                compare(std::iter::once(expr.as_mut()).chain(list).collect(), schema, options)
            }
            Expr::Case(case) => agree_in_case(case, schema),
            Expr::Cast(to) if matches!(to.field.data_type(), DataType::Timestamp(..)) => complete(&mut to.expr),
            _ => false,
        };
        Ok(if changed { Transformed::yes(expression) } else { Transformed::no(expression) })
    }
}

fn agree_in_case(case: &mut Case, schema: &DFSchema) -> bool {
    let (mut asked, mut given) = (Vec::new(), Vec::new());
    asked.extend(case.expr.as_deref_mut());
    for (when, then) in &mut case.when_then_expr {
        asked.push(when.as_mut());
        given.push(then.as_mut());
    }
    given.extend(case.else_expr.as_deref_mut());
    agree(asked, schema) | agree(given, schema)
}

/// Gives a short decimal digits for its average, which has four more; whether it needed them.
fn has_room(value: &mut Expr, schema: &DFSchema) -> bool {
    let Ok(DataType::Decimal128(precision, scale)) = value.get_type(schema) else { return false };
    let more = AVERAGED - scale;
    let wide = precision.saturating_add_signed(more);
    if more <= 0 || wide > DECIMAL128_MAX_PRECISION {
        return false;
    }
    *value = cast(std::mem::take(value), DataType::Decimal128(wide, AVERAGED));
    true
}

/// Makes what is compared agree; whether it did not.
fn compare(mut expressions: Vec<&mut Expr>, schema: &DFSchema, options: &ConfigOptions) -> bool {
    let days = begin(expressions.iter_mut().map(|expression| &mut **expression), schema, options);
    let times = complete_all(expressions.iter_mut().map(|expression| &mut **expression), schema);
    agree(expressions, schema) || days || times
}

/// Gives the times their seconds that are written without them and compared with a time; whether there were any.
fn complete_all<'a>(expressions: impl IntoIterator<Item = &'a mut Expr>, schema: &DFSchema) -> bool {
    let all = with_types(expressions, schema);
    let any = all.iter().any(|(_, data_type)| matches!(data_type, DataType::Timestamp(..)));
    any && all.into_iter().fold(false, |changed, (expression, _)| complete(expression) || changed)
}

/// Gives a time its seconds that is written without them; whether it is one.
fn complete(expression: &mut Expr) -> bool {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = expression else { return false };
    match with_seconds(text) {
        Some(whole) => {
            *text = whole;
            true
        }
        None => false,
    }
}

/// Makes days the times at which they begin in the session's zone, where one of the expressions is a time; whether there
/// were any. Columns stay: `date` of a table is a day of UTC, whatever the session's zone.
fn begin<'a>(expressions: impl IntoIterator<Item = &'a mut Expr>, schema: &DFSchema, options: &ConfigOptions) -> bool {
    let all = with_types(expressions, schema);
    let unit = all.iter().find_map(|(_, data_type)| match data_type {
        DataType::Timestamp(unit, Some(_)) => Some(*unit),
        _ => None,
    });
    let (Some(unit), Some(zone)) = (unit, &options.execution.time_zone) else { return false };
    let mut changed = false;
    for (expression, data_type) in all {
        if data_type == DataType::Date32 && !expression.any_column_refs() {
            *expression = cast(std::mem::take(expression), DataType::Timestamp(unit, Some(zone.as_str().into())));
            changed = true;
        }
    }
    changed
}

/// The expressions whose types are known.
fn with_types<'a>(
    expressions: impl IntoIterator<Item = &'a mut Expr>,
    schema: &DFSchema,
) -> Vec<(&'a mut Expr, DataType)> {
    let typed = |expression: &'a mut Expr| {
        let data_type = expression.get_type(schema).ok()?;
        Some((expression, data_type))
    };
    expressions.into_iter().filter_map(typed).collect()
}

/// Makes decimals binary where one of the expressions is; whether there were any.
fn agree<'a>(expressions: impl IntoIterator<Item = &'a mut Expr>, schema: &DFSchema) -> bool {
    let all = with_types(expressions, schema);
    if !all.iter().any(|(_, data_type)| data_type.is_floating()) {
        return false;
    }
    let mut changed = false;
    for (expression, _) in all.into_iter().filter(|(_, data_type)| data_type.is_decimal()) {
        *expression = cast(std::mem::take(expression), DataType::Float64);
        changed = true;
    }
    changed
}

/// The arithmetic of two integers, with an error where its result does not fit.
fn checked(left: &mut Expr, op: Operator, right: &mut Expr, schema: &DFSchema) -> Option<Expr> {
    let function = arithmetic(op)?;
    // The left one can be a long sum, whose type takes long.
    let right_type = type_of(right, schema).filter(DataType::is_integer)?;
    let left_type = type_of(left, schema).filter(DataType::is_integer)?;
    let result = BinaryTypeCoercer::new(&left_type, &op, &right_type).get_result_type().ok()?;
    if !result.is_integer() {
        return None;
    }
    let of_type = |side: &mut Expr, given: &DataType| {
        let side = std::mem::take(side);
        if *given == result { side } else { cast(side, result.clone()) }
    };
    let right = of_type(right, &right_type);
    // `a + b + c + …` is one call, however long it is: planning goes down into calls of calls again and again.
    if let Expr::ScalarFunction(ScalarFunction { func, args }) = left
        && Arc::ptr_eq(func, function)
        && left_type == result
    {
        let mut args = std::mem::take(args);
        args.push(right);
        return Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args)));
    }
    let left = of_type(left, &left_type);
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), vec![left, right])))
}

fn type_of(expression: &Expr, schema: &DFSchema) -> Option<DataType> {
    match expression {
        Expr::Cast(cast) => Some(cast.field.data_type().clone()),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.inner().is::<Checked>() => {
            type_of(args.first()?, schema)
        }
        other => other.get_type(schema).ok(),
    }
}

/// The function that stands for an operator.
fn arithmetic(op: Operator) -> Option<&'static Arc<ScalarUDF>> {
    static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 3]> = LazyLock::new(|| {
        [Operator::Plus, Operator::Minus, Operator::Multiply].map(|op| {
            let signature = Signature::variadic_any(Volatility::Immutable);
            Arc::new(ScalarUDF::from(Checked { op, signature }))
        })
    });
    let position = match op {
        Operator::Plus => 0,
        Operator::Minus => 1,
        Operator::Multiply => 2,
        _ => return None,
    };
    FUNCTIONS.get(position)
}

/// An operator between integers of one type, from left to right, which fails where DataFusion's own would wrap around.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "tracewell_add",
            Operator::Minus => "tracewell_subtract",
            _ => "tracewell_multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut values = arguments.args.into_iter();
        let Some(first) = values.next() else { return plan_err!("{} takes numbers", self.name()) };
        values.try_fold(first, |left, right| match self.op {
            Operator::Plus => apply(&left, &right, add),
            Operator::Minus => apply(&left, &right, sub),
            _ => apply(&left, &right, mul),
        })
    }
}
