//! JSON: PostgreSQL's operators, and the functions of `datafusion-functions-json` beside our own `json_get`.
//!
//! JSON is text here. `->` gives the text of a member, `->>` what a text member says, `#>` and `#>>` the same along a
//! path such as `'{messages,0,role}'`, `?` whether there is a member, `@>` and `<@` whether one is part of the other.
//! Only what is cast to JSON, or made as such, is joined and compared as JSON: other texts are joined and compared as
//! texts.
//! Attributes are maps of texts; the operators take them as objects.

mod build;
mod changed;
mod contained;
mod keys;
mod values;

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::functions::core::get_field;
use datafusion::functions_nested::expr_fn::{array_has, map_keys};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, lit};
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion_functions_json::udfs;
use tracewell_requests::postgres::parameters::list;

pub(crate) use changed::ITEMS;
pub(crate) use values::{JOINED, SAME};

/// Makes the functions and the operators known to `context`.
pub(super) fn register(context: &SessionContext) -> Result<()> {
    let functions = [
        udfs::json_as_text_udf(),
        udfs::json_contains_udf(),
        udfs::json_get_array_udf(),
        udfs::json_get_bool_udf(),
        udfs::json_get_float_udf(),
        udfs::json_get_int_udf(),
        udfs::json_get_json_udf(),
        udfs::json_get_str_udf(),
        udfs::json_length_udf(),
        Arc::new(keys::function()),
    ];
    let state = context.state_ref();
    let mut state = state.write();
    let ours = build::functions().into_iter().chain([contained::function()]).chain(values::functions());
    let ours = ours.chain(changed::functions()).map(Arc::new);
    for function in functions.into_iter().chain(ours) {
        state.register_udf(function)?;
    }
    state.register_expr_planner(Arc::new(Operators))
}

#[derive(Debug)]
struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if matches!(raw.op, BinaryOperator::AtArrow | BinaryOperator::ArrowAt) {
            return Ok(contained(raw, schema));
        }
        let Some(function) = function(&raw.op) else { return Ok(PlannerResult::Original(raw)) };
        let name = format!("{} {} {}", raw.left.schema_name(), raw.op, raw.right.schema_name());
        let of_map = raw.left.get_type(schema).is_ok_and(|data_type| matches!(data_type, DataType::Map(..)));
        let found = match raw.op {
            BinaryOperator::Question if of_map => array_has(map_keys(raw.left), raw.right),
            // A field has one name for all rows.
            BinaryOperator::Arrow | BinaryOperator::LongArrow if of_map && raw.right.any_column_refs() => {
                udfs::json_as_text_udf().call(vec![build::to_json().call(vec![raw.left]), raw.right])
            }
            BinaryOperator::Arrow | BinaryOperator::LongArrow if of_map => get_field().call(vec![raw.left, raw.right]),
            BinaryOperator::HashArrow | BinaryOperator::HashLongArrow => {
                function.call(std::iter::once(raw.left).chain(path(raw.right)).collect())
            }
            _ => function.call(vec![raw.left, raw.right]),
        };
        Ok(PlannerResult::Planned(found.alias(name)))
    }
}

/// `@>` and `<@` of texts and maps. Those of lists are DataFusion's.
fn contained(raw: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    let types = [&raw.left, &raw.right].map(|side| side.get_type(schema).unwrap_or(DataType::Null));
    let is_json = |given: &DataType| given.is_string() || matches!(given, DataType::Map(..));
    if !types.iter().any(is_json) || !types.iter().all(|given| is_json(given) || given.is_null()) {
        return PlannerResult::Original(raw);
    }
    let name = format!("{} {} {}", raw.left.schema_name(), raw.op, raw.right.schema_name());
    let [left, right] = [raw.left, raw.right].map(|side| match side.get_type(schema) {
        Ok(DataType::Map(..)) => build::to_json().call(vec![side]),
        _ => side,
    });
    let (whole, part) = if raw.op == BinaryOperator::AtArrow { (left, right) } else { (right, left) };
    PlannerResult::Planned(contained::function().call(vec![whole, part]).alias(name))
}

fn function(op: &BinaryOperator) -> Option<Arc<ScalarUDF>> {
    match op {
        BinaryOperator::Arrow | BinaryOperator::HashArrow => Some(udfs::json_get_json_udf()),
        BinaryOperator::LongArrow | BinaryOperator::HashLongArrow => Some(udfs::json_as_text_udf()),
        BinaryOperator::Question => Some(Arc::new(values::has())),
        _ => None,
    }
}

/// The steps of a path in PostgreSQL's form of an array: the names of members, and the places of items as texts too.
/// What is no array is taken as it is.
fn path(path: Expr) -> Vec<Expr> {
    let steps = match &path {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => list(text),
        _ => None,
    };
    match steps {
        Some(steps) => steps.into_iter().map(|step| lit(ScalarValue::Utf8(step))).collect(),
        None => vec![path],
    }
}
