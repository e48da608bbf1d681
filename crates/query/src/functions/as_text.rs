//! Times, spans of time and lists as the texts that PostgreSQL makes of them: `2026-11-20 10:30:00+00`,
//! `1 day 02:00:00` and `{a,b}`. To DataFusion a time has a `T` in it, and nothing tells the items of a list apart.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::expr::{Cast, ScalarFunction, TryCast};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::prelude::SessionContext;
use tracewell_requests::postgres::text::texts;

/// Reads casts to text, and what puts texts together, so in `context`.
pub(super) fn register(context: &SessionContext) -> Result<()> {
    let state = context.state_ref();
    let mut state = state.write();
    state.register_function_rewrite(Arc::new(Rules))
}

#[derive(Debug)]
struct Rules;

impl FunctionRewrite for Rules {
    fn name(&self) -> &str {
        "values_as_texts"
    }

    fn rewrite(&self, mut expression: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let changed = match &mut expression {
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
                if field.data_type().is_string() =>
            {
                write([expr.as_mut()], schema)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                join(vec![left.as_mut(), right.as_mut()], schema)
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => match func.name() {
                "concat" | "concat_ws" => join(args.iter_mut().collect(), schema),
                "format" => write(args, schema),
                _ => false,
            },
            _ => false,
        };
        Ok(if changed { Transformed::yes(expression) } else { Transformed::no(expression) })
    }
}

/// Makes values texts whose texts differ; whether there were any.
fn write<'a>(values: impl IntoIterator<Item = &'a mut Expr>, schema: &DFSchema) -> bool {
    static FUNCTION: LazyLock<ScalarUDF> =
        LazyLock::new(|| ScalarUDF::from(AsText(Signature::any(1, Volatility::Immutable))));
    let mut changed = false;
    for value in values {
        if type_of(value, schema).is_some_and(|given| differs(&given)) {
            *value = FUNCTION.call(vec![std::mem::take(value)]);
            changed = true;
        }
    }
    changed
}

/// The same of what is put together, unless a list is: that goes on with its items.
fn join(values: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    let is_list = |value: &&mut Expr| type_of(first(value), schema).is_some_and(|given| given.is_list());
    !values.iter().any(is_list) && write(values, schema)
}

/// What a value of `a || b || …` begins with.
fn first(mut value: &Expr) -> &Expr {
    while let Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, .. }) = value {
        value = left;
    }
    value
}

/// What is put together is not asked, which takes long where there is much of it.
fn type_of(value: &Expr, schema: &DFSchema) -> Option<DataType> {
    match value {
        Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => None,
        other => other.get_type(schema).ok(),
    }
}

fn differs(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(..) | DataType::Interval(_) | DataType::Duration(_) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            !item.data_type().is_nested()
        }
        _ => false,
    }
}

/// The text of a value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AsText(Signature);

impl ScalarUDFImpl for AsText {
    fn name(&self) -> &str {
        "tracewell_text"
    }

    /// A cast goes by the name of what is cast.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        Ok(arguments.iter().map(|argument| argument.schema_name().to_string()).collect())
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = take_function_args(self.name(), &arguments.args)?;
        Ok(ColumnarValue::Array(Arc::new(texts(&value.to_array(arguments.number_rows)?)?)))
    }
}
