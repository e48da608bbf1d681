//! Patterns over long texts, a piece at a time.
//!
//! Functions look themselves whether their query is to stop (`functions::bounded`). `LIKE` and `~` are operators, which
//! DataFusion evaluates over a whole batch: thousands of texts, each of which may be long. So their batches are cut.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, LikeExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::{StreamExt, TryStreamExt, stream};

use crate::limits::stop;
use crate::plans::through::{Each, through};

/// Bytes between two looks at whether the query is to stop.
pub(crate) const PIECE: usize = 64 << 10;

/// Cuts what is given to plans that match patterns.
pub(crate) const IN_PIECES: Each = Each { name: "in_pieces", change: in_pieces };

fn in_pieces(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let has_pattern = has_pattern(plan.as_ref())?;
    through(plan, "Pieces", cut, |_, _| has_pattern)
}

/// Whether an expression of the plan, or a part of one, matches a pattern.
fn has_pattern(plan: &dyn ExecutionPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(&mut |root| {
        root.apply(|expression| {
            found |= is_pattern(expression.as_ref());
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })
    })?;
    Ok(found)
}

fn is_pattern(expression: &dyn PhysicalExpr) -> bool {
    use Operator::{
        ILikeMatch, LikeMatch, NotILikeMatch, NotLikeMatch, RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch,
    };
    expression.is::<LikeExpr>()
        || expression.downcast_ref::<BinaryExpr>().is_some_and(|binary| {
            matches!(
                binary.op(),
                RegexMatch
                    | RegexIMatch
                    | RegexNotMatch
                    | RegexNotIMatch
                    | LikeMatch
                    | ILikeMatch
                    | NotLikeMatch
                    | NotILikeMatch
            )
        })
}

/// Rows in batches that are soon worked on, until the query is to stop.
fn cut(batches: SendableRecordBatchStream, context: Arc<TaskContext>) -> SendableRecordBatchStream {
    let schema = batches.schema();
    let cut = batches.map_ok(|batch| stream::iter(pieces(&batch, PIECE).map(Ok))).try_flatten();
    let watched = cut.map(move |piece| {
        stop::check(context.session_config().options())?;
        piece
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, watched))
}

/// A batch in pieces of about `most` bytes, or of one row.
pub(crate) fn pieces(batch: &RecordBatch, most: usize) -> impl Iterator<Item = RecordBatch> + use<> {
    let (batch, rows) = (batch.clone(), batch.num_rows());
    let size: usize = batch.columns().iter().map(|column| bytes(column.as_ref())).sum();
    let length = (most / size.div_ceil(rows.max(1)).max(1)).clamp(1, rows.max(1));
    (0..rows.max(1)).step_by(length).map(move |start| batch.slice(start, length.min(rows - start)))
}

/// About how much the values take.
pub(crate) fn bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        // Their texts are not part of the slice.
        DataType::Utf8View => array.as_string_view().lengths().map(|length| length as usize).sum(),
        _ => array.to_data().get_slice_memory_size().unwrap_or(PIECE),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, StringViewArray};

    use super::*;

    #[test]
    fn a_batch_of_long_texts_is_cut_and_one_of_short_ones_is_not() {
        let batch = |length: usize, rows: usize| {
            let texts: StringViewArray = (0..rows).map(|_| Some("x".repeat(length))).collect();
            RecordBatch::try_from_iter([("a", Arc::new(texts) as ArrayRef)]).expect("one column")
        };
        let rows =
            |length, count| pieces(&batch(length, count), PIECE).map(|piece| piece.num_rows()).collect::<Vec<_>>();
        assert_eq!(rows(20, 1000), [1000]);
        assert_eq!(rows(PIECE / 4, 5), [4, 1]);
        assert_eq!(rows(3 * PIECE, 2), [1, 1]);
        assert_eq!(rows(1, 0), [0]);
    }
}
