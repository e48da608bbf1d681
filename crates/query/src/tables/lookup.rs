//! Where the rows of some traces lie.
//!
//! A view that puts rows together from several tables reads all of a table that it joins, for the planner cannot know
//! which rows will be met. Where traces are asked for by their ids, a few rows of the facts tell their days.

use std::collections::BTreeSet;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Date32Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::prelude::col;
use tracewell_model::time::Day;

use crate::tables::one_of::listed;
use crate::tables::settled::SOURCES;
use crate::tables::source::Source;

/// The ids of the traces that `filters` ask for; `None` where they ask otherwise.
pub(crate) fn traces_of(filters: &[Expr]) -> Option<BTreeSet<String>> {
    filters.iter().find_map(traces_in)
}

fn traces_in(filter: &Expr) -> Option<BTreeSet<String>> {
    let is_trace = |side: &Expr| matches!(side, Expr::Column(column) if column.name == "trace_id");
    let id = |side: &Expr| match side {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            let sides = [(&binary.left, &binary.right), (&binary.right, &binary.left)];
            let (_, other) = sides.into_iter().find(|(trace, _)| is_trace(trace))?;
            Some(BTreeSet::from([id(other)?]))
        }
        // So the planner writes a list of two or three.
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            Some(&traces_in(&binary.left)? | &traces_in(&binary.right)?)
        }
        Expr::InList(list) if !list.negated && is_trace(&list.expr) => list.list.iter().map(id).collect(),
        _ => None,
    }
}

/// Some traces, and where their rows lie.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) traces: BTreeSet<String>,
    pub(crate) days: BTreeSet<Day>,
    /// The first start of a span or time of a record, and the last, in nanoseconds since 1970.
    pub(crate) times: (i64, i64),
}

/// Looks for the spans and records of `traces`.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn places(traces: BTreeSet<String>, source: &Source) -> Result<Places> {
    let context = source.lookups()?;
    let mut places = Places { traces, days: BTreeSet::new(), times: (i64::MAX, i64::MIN) };
    for (table, time) in SOURCES {
        if !context.table_exist(table)? {
            continue;
        }
        let rows =
            context.table(table).await?.filter(listed("trace_id", &places.traces))?.select([col("date"), col(time)])?;
        for batch in rows.collect().await? {
            places.days.extend(batch.column(0).as_primitive::<Date32Type>().iter().flatten().map(Day));
            for time in batch.column(1).as_primitive::<Int64Type>().iter().flatten() {
                places.times = (places.times.0.min(time), places.times.1.max(time));
            }
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::lit;

    use super::*;

    #[test]
    fn traces_are_asked_for_in_each_way_that_the_planner_writes_a_list() {
        let is = |id: &str| col("trace_id").eq(lit(id));
        let found = |filter: Expr| traces_of(&[col("kind").eq(lit("llm")), filter]).map(|traces| traces.len());
        assert_eq!(found(is("a")), Some(1));
        assert_eq!(found(lit("a").eq(col("trace_id"))), Some(1));
        assert_eq!(found(is("a").or(is("b")).or(is("c"))), Some(3));
        assert_eq!(found(col("trace_id").in_list(vec![lit("a"), lit("b")], false)), Some(2));
        assert_eq!(found(is("a").or(col("name").eq(lit("b")))), None);
        assert_eq!(found(col("trace_id").in_list(vec![lit("a")], true)), None);
        assert_eq!(found(col("trace_id").gt(lit("a"))), None);
    }
}
