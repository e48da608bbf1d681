//! What is done to operators between spans and times before their types are made to agree.
//!
//! DataFusion knows no interval times a number. It compares intervals by their months, then days, then hours, so that
//! 36 hours are less than a day, also to `max`; adds to a day no hours; and takes a time without a zone for one of UTC
//! where it is subtracted from one with a zone. A number that becomes an integer is cut off, where PostgreSQL rounds
//! it; and halves of binary numbers are rounded away from zero, where PostgreSQL takes the even number.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::functions::math::round;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Cast, InList, Placeholder, ScalarFunction, TryCast};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, ExprSchemable, Operator, cast, lit};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::super::even;
use super::super::zones::at_time_zone;
use super::{DAY_NANOS, INTERVAL, Work, function};
use crate::zone::is_utc;

pub(super) fn register(context: &SessionContext) -> Result<()> {
    let state = context.state_ref();
    let mut state = state.write();
    state.register_expr_planner(Arc::new(Operators))?;
    state.register_function_rewrite(Arc::new(Rules))
}

/// Operators whose result has another type than DataFusion would give it.
#[derive(Debug)]
struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, mut raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let work = match raw.op {
            BinaryOperator::Multiply => Work::Times,
            BinaryOperator::Divide => Work::Divided,
            BinaryOperator::Plus | BinaryOperator::Minus => {
                to_times(&mut raw, schema);
                return Ok(PlannerResult::Original(raw));
            }
            _ => return Ok(PlannerResult::Original(raw)),
        };
        let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(raw));
        };
        let is_number = |data_type: &DataType| data_type.is_numeric() || data_type.is_null();
        let swapped = match (is_span(&left), is_span(&right)) {
            (true, false) if is_number(&right) => false,
            (false, true) if is_number(&left) && work == Work::Times => true,
            _ => return Ok(PlannerResult::Original(raw)),
        };
        let name = format!("{} {} {}", raw.left.schema_name(), raw.op, raw.right.schema_name());
        let (span, number) = if swapped { (raw.right, raw.left) } else { (raw.left, raw.right) };
        let number = match number {
            Expr::Placeholder(Placeholder { id, field: None }) => {
                let field = Arc::new(Field::new("", DataType::Float64, true));
                Expr::Placeholder(Placeholder::new_with_field(id, Some(field)))
            }
            number => number,
        };
        Ok(PlannerResult::Planned(function(work).call(vec![span, number]).alias(name)))
    }
}

fn is_span(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

fn is_interval(expression: &Expr, schema: &DFSchema) -> bool {
    matches!(expression.get_type(schema), Ok(DataType::Interval(_)))
}

fn is_day(expression: &Expr, schema: &DFSchema) -> bool {
    matches!(expression.get_type(schema), Ok(DataType::Date32))
}

/// Makes a day that an interval is added to a time, unless that is one of whole days.
fn to_times(raw: &mut RawBinaryExpr, schema: &DFSchema) {
    // The right one first: the left one can be a long sum.
    let (day, span) = if is_interval(&raw.right, schema) && is_day(&raw.left, schema) {
        (&mut raw.left, &raw.right)
    } else if raw.op == BinaryOperator::Plus && is_day(&raw.right, schema) && is_interval(&raw.left, schema) {
        (&mut raw.right, &raw.left)
    } else {
        return;
    };
    let whole = matches!(span, Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(span)), _)
        if i128::from(span.nanoseconds) % DAY_NANOS == 0);
    if !whole {
        *day = cast(std::mem::take(day), DataType::Timestamp(TimeUnit::Nanosecond, None));
    }
}

/// Rewrites expressions whose type stays as it is.
#[derive(Debug)]
struct Rules;

impl FunctionRewrite for Rules {
    fn name(&self) -> &str {
        "spans_of_time"
    }

    fn rewrite(&self, mut expression: Expr, schema: &DFSchema, options: &ConfigOptions) -> Result<Transformed<Expr>> {
        let zone = options.execution.time_zone.as_deref().filter(|zone| !is_utc(zone));
        let changed = match &mut expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() => {
                by_length(vec![left.as_mut(), right.as_mut()], schema)
            }
            Expr::Between(Between { expr, low, high, .. }) => {
                by_length(vec![expr.as_mut(), low.as_mut(), high.as_mut()], schema)
            }
            Expr::InList(InList { expr, list, .. }) => {
                by_length(std::iter::once(expr.as_mut()).chain(list).collect(), schema)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Minus, right }) => {
                zone.is_some_and(|zone| in_zone(left, right, zone, schema))
            }
            // Whole seconds are read as if the clocks of the zone had shown them.
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "to_timestamp" => {
                match args.as_mut_slice() {
                    [seconds] if seconds.get_type(schema).is_ok_and(|given| given.is_integer()) => {
                        *seconds = cast(std::mem::take(seconds), DataType::Float64);
                        true
                    }
                    _ => false,
                }
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "round" => match args.as_slice() {
                [number] if number.get_type(schema).is_ok_and(|given| given.is_floating()) => {
                    *func = even::function();
                    true
                }
                _ => false,
            },
            // `max(x)` as the first of them by length, the longest ahead.
            Expr::AggregateFunction(AggregateFunction { func, params }) if ["max", "min"].contains(&func.name()) => {
                match params.args.as_slice() {
                    [span] if is_interval(span, schema) => {
                        let length = function(Work::Length).call(vec![span.clone()]);
                        params.order_by = vec![length.sort(func.name() == "min", false)];
                        params.distinct = false;
                        *func = first_value_udaf();
                        true
                    }
                    _ => false,
                }
            }
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                match (field.data_type(), expr.get_type(schema), zone) {
                    // A time without a zone is what the clocks of the session's zone show.
                    (DataType::Timestamp(_, None), Ok(DataType::Timestamp(_, Some(_))), Some(zone)) => {
                        let time = std::mem::take(expr.as_mut());
                        **expr = at_time_zone().call(vec![time, lit(zone)]);
                        true
                    }
                    // To DataFusion what stands behind the point is cut off.
                    (wanted, Ok(given), _) if wanted.is_integer() && (given.is_floating() || given.is_decimal()) => {
                        let rounds = if given.is_floating() { even::function() } else { round() };
                        let number = std::mem::take(expr.as_mut());
                        **expr = rounds.call(vec![number]);
                        true
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        Ok(if changed { Transformed::yes(expression) } else { Transformed::no(expression) })
    }
}

/// Makes what is compared with an interval its length; whether there was one.
fn by_length(expressions: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    let types: Vec<Option<DataType>> = expressions.iter().map(|expression| expression.get_type(schema).ok()).collect();
    let is_text = |expression: &Expr| matches!(expression, Expr::Literal(ScalarValue::Utf8(Some(_)), _));
    let any_text = expressions.iter().any(|expression| is_text(expression));
    // Two durations are compared as they are.
    let compared = |data_type: &Option<DataType>| match data_type {
        Some(DataType::Interval(_)) => true,
        Some(DataType::Duration(_)) => any_text,
        _ => false,
    };
    if !types.iter().any(compared) {
        return false;
    }
    for (expression, data_type) in expressions.into_iter().zip(types) {
        if data_type.as_ref().is_some_and(is_span) {
            *expression = function(Work::Length).call(vec![std::mem::take(expression)]);
        } else if is_text(expression) {
            let span = cast(std::mem::take(expression), INTERVAL);
            *expression = function(Work::Length).call(vec![span]);
        }
    }
    true
}

/// Takes a time without a zone, or a day, for one of the session's zone where the other one has a zone.
fn in_zone(left: &mut Expr, right: &mut Expr, zone: &str, schema: &DFSchema) -> bool {
    let has_none = |data_type: &DataType| matches!(data_type, DataType::Timestamp(_, None) | DataType::Date32);
    // The right one first: the left one can be a long sum.
    let Ok(second) = right.get_type(schema) else { return false };
    if !has_none(&second) && !matches!(second, DataType::Timestamp(..)) {
        return false;
    }
    let Ok(first) = left.get_type(schema) else { return false };
    let (unit, bare) = match (&first, &second) {
        (DataType::Timestamp(unit, Some(_)), second) if has_none(second) => (*unit, right),
        (first, DataType::Timestamp(unit, Some(_))) if has_none(first) => (*unit, left),
        _ => return false,
    };
    *bare = cast(std::mem::take(bare), DataType::Timestamp(unit, Some(zone.into())));
    true
}
