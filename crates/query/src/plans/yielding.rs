//! Plans that can be stopped wherever rows multiply.
//!
//! DataFusion lets other work have its turn where rows are read. One batch that a join turns into a million is
//! followed up without a pause, and one whose million pairs satisfy no condition is not even followed up: such queries
//! went on for minutes after their clients were gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{JoinType, Result};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::{TryStreamExt, stream};

use crate::plans::through::{Each, through};

/// About how long a join may work before others have a turn.
const TURN: Duration = Duration::from_millis(100);
/// Rows that a join is given at first, each of which it may pair with all of its other side.
const FIRST: usize = 16;
/// Pieces grow and shrink so many times.
const STEP: usize = 4;

/// Counts the batches of what multiplies rows as those that are read, and gives joins that may drop their pairs few
/// rows at a time.
pub(crate) const YIELDING: Each = Each { name: "yielding", change: yielding };

fn yielding(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let multiplies = plan.is::<CrossJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<SortMergeJoinExec>()
        || plan.is::<UnnestExec>();
    if !multiplies {
        return Ok(plan);
    }
    let may_drop_pairs = may_drop_pairs(plan.as_ref());
    // A join takes the rows of its second side one after the other.
    let plan = through(plan, "Turns", in_turns, |place, _| may_drop_pairs && place == 1)?;
    Ok(Arc::new(CooperativeExec::new(plan)))
}

/// Whether a join may look at many pairs of rows without giving any.
fn may_drop_pairs(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<NestedLoopJoinExec>()
        || plan.downcast_ref::<HashJoinExec>().is_some_and(|join| {
            let gives_pairs = [JoinType::Inner, JoinType::Left, JoinType::Right, JoinType::Full];
            join.filter().is_some() || !gives_pairs.contains(join.join_type())
        })
}

/// Rows in pieces, with a turn for others after each.
fn in_turns(batches: SendableRecordBatchStream, _: Arc<TaskContext>) -> SendableRecordBatchStream {
    let schema = batches.schema();
    let turns = Turns { batches, rest: None, rows: FIRST, given: None };
    let pieces = stream::try_unfold(turns, |mut turns| async move {
        let piece = turns.next().await?;
        Ok::<_, DataFusionError>(piece.map(|piece| (piece, turns)))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, pieces))
}

struct Turns {
    batches: SendableRecordBatchStream,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
    /// Rows of the next piece.
    rows: usize,
    /// When the last piece was given.
    given: Option<Instant>,
}

impl Turns {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(given) = self.given.take() {
            self.rows = rows_after(self.rows, given.elapsed());
            tokio::task::yield_now().await;
        }
        let batch = match self.rest.take() {
            Some(rest) => Some(rest),
            None => self.batches.try_next().await?,
        };
        let Some(batch) = batch else { return Ok(None) };
        let rows = self.rows.min(batch.num_rows());
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        self.given = Some(Instant::now());
        Ok(Some(batch.slice(0, rows)))
    }
}

/// Rows of a piece after one of so many `took` so long.
fn rows_after(rows: usize, took: Duration) -> usize {
    if took > TURN {
        (rows / STEP).max(1)
    } else if took * 4 < TURN {
        rows.saturating_mul(STEP)
    } else {
        rows
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
    use datafusion::arrow::datatypes::Int64Type;
    use datafusion::physical_plan::{collect, displayable};
    use futures::StreamExt;

    use super::*;
    use crate::contexts::session;

    fn numbers(of: std::ops::Range<i64>) -> RecordBatch {
        RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from_iter_values(of)) as ArrayRef)]).expect("one column")
    }

    #[test]
    fn pieces_shrink_while_they_take_long_and_grow_while_they_do_not() {
        assert_eq!(rows_after(64, TURN * 2), 16);
        assert_eq!(rows_after(1, TURN * 100), 1);
        assert_eq!(rows_after(64, TURN / 2), 64);
        assert_eq!(rows_after(64, Duration::ZERO), 256);
    }

    #[tokio::test]
    async fn joins_that_may_drop_pairs_are_given_few_rows_at_a_time_and_find_all_the_same() -> Result<()> {
        let context = session(2, &Arc::default(), "UTC")?;
        let series = "generate_series(1, 100)";
        for (condition, has_turns, found) in [
            ("a.value = b.value", false, 100),
            ("a.value = b.value AND a.value + b.value > 100", true, 50),
            ("a.value < b.value", true, 100 * 99 / 2),
        ] {
            let sql = format!("SELECT count(*) FROM {series} AS a JOIN {series} AS b ON {condition}");
            let plan = context.sql(&sql).await?.create_physical_plan().await?;
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            assert_eq!(shown.contains("Turns"), has_turns, "{shown}");
            let rows = collect(plan, context.task_ctx()).await?;
            assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), found, "{condition}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn all_rows_come_in_their_order() {
        let batches = [numbers(0..100), numbers(100..100), numbers(100..103)];
        let schema = batches[0].schema();
        let given =
            Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches).map(Ok::<_, DataFusionError>)));
        let pieces: Vec<_> = in_turns(given, Arc::default()).try_collect().await.expect("nothing fails");
        assert_eq!(pieces[0].num_rows(), FIRST);
        let rows = pieces.iter().flat_map(|piece| piece.column(0).as_primitive::<Int64Type>().values().to_vec());
        assert!(rows.eq(0..103));
    }
}
