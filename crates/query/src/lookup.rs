//! The days of some traces.
//!
//! A view that puts rows together from several tables reads all of a table that it joins, for the planner cannot know
//! which rows will be met. Where traces are asked for by their ids, a few rows of the facts tell their days.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Date32Type;
use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::prelude::{SessionContext, col};
use tracewell_lake::scan::Store;
use tracewell_model::schema::{LOGS, SPANS};
use tracewell_model::time::Day;

use crate::engine;
use crate::view::ReadView;

/// The traces that `filters` ask for by their ids, as a condition on `trace_id`.
pub(crate) fn traces_of(filters: &[Expr]) -> Option<Expr> {
    let is_trace = |side: &Expr| matches!(side, Expr::Column(column) if column.name == "trace_id");
    let is_literal = |side: &Expr| matches!(side, Expr::Literal(..));
    filters.iter().find_map(|filter| match filter {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            let sides = [(&binary.left, &binary.right), (&binary.right, &binary.left)];
            let (_, id) = sides.into_iter().find(|(trace, id)| is_trace(trace) && is_literal(id))?;
            Some(col("trace_id").eq(id.as_ref().clone()))
        }
        Expr::InList(list) if !list.negated && is_trace(&list.expr) && list.list.iter().all(is_literal) => {
            Some(col("trace_id").in_list(list.list.clone(), false))
        }
        _ => None,
    })
}

/// The tables that traces are looked up in, over `view`.
pub(crate) fn facts(view: &ReadView, store: &Store, environment: &Arc<RuntimeEnv>) -> Result<SessionContext> {
    let context = engine::session(2, environment, "UTC")?;
    for (source, facts) in view.facts().filter(|(name, _)| [SPANS.name, LOGS.name].contains(name)) {
        engine::register_facts(&context, source, facts.clone(), store)?;
    }
    Ok(context)
}

/// Looks in [`facts`] for the days that have spans or records of `traces`.
pub(crate) async fn days(traces: &Expr, facts: &SessionContext) -> Result<BTreeSet<Day>> {
    let mut days = BTreeSet::new();
    for source in [SPANS.name, LOGS.name] {
        if !facts.table_exist(source)? {
            continue;
        }
        let rows = facts.table(source).await?.filter(traces.clone())?.select([col("date")])?;
        for batch in rows.collect().await? {
            days.extend(batch.column(0).as_primitive::<Date32Type>().iter().flatten().map(Day));
        }
    }
    Ok(days)
}
