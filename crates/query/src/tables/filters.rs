//! What a scan is asked for: its filters and its columns.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{ColumnarValue, Expr, Operator};
use datafusion::physical_expr::PhysicalExpr;

/// All of `filters` together, over rows of `schema`; `None` where there is none.
pub(crate) fn physical_predicate(
    session: &dyn Session,
    filters: &[Expr],
    schema: &SchemaRef,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    conjunction(filters.to_vec())
        .map(|filter| session.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(schema))?))
        .transpose()
}

/// The value of an expression that reads no column; `None` where it has none.
pub(crate) fn constant(expression: &dyn PhysicalExpr) -> Option<ScalarValue> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).ok()?;
    match expression.evaluate(&row).ok()? {
        ColumnarValue::Scalar(value) => Some(value),
        ColumnarValue::Array(_) => None,
    }
}

/// Whether it is a column of ids.
pub(crate) fn is_id(expression: &Expr) -> bool {
    const IDS: &[&str] = &["trace_id", "span_id", "hash", "conversation_id", "response_id"];
    matches!(expression, Expr::Column(column) if IDS.contains(&column.name.as_str()))
}

/// Whether the filters ask for few rows, by an id or by some, or for calls that several spans tell of: then decoding what
/// they look at first pays.
pub(crate) fn is_lookup(filters: &[Expr]) -> bool {
    filters.iter().any(asks_for_few)
}

fn asks_for_few(filter: &Expr) -> bool {
    let counts_duplicates = |side: &Expr| matches!(side, Expr::Column(column) if column.name == "duplicate_spans");
    match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::Eq => is_id(&binary.left) || is_id(&binary.right),
            // So the planner writes a list of two or three.
            Operator::Or => asks_for_few(&binary.left) && asks_for_few(&binary.right),
            Operator::Gt => counts_duplicates(&binary.left),
            _ => false,
        },
        Expr::InList(list) => !list.negated && is_id(&list.expr),
        _ => false,
    }
}

/// The columns that a scan is asked for.
pub(crate) fn projected(schema: &SchemaRef, projection: Option<&Vec<usize>>) -> Result<SchemaRef> {
    Ok(match projection {
        Some(columns) => Arc::new(schema.project(columns)?),
        None => Arc::clone(schema),
    })
}
