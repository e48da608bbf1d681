//! What the rows of some traces need: their days, and the contents that they name.
//!
//! A view that puts rows together from several tables reads all of a table that it joins, for the planner cannot know
//! which rows will be met. Where traces are asked for by their ids, a few rows of the facts tell.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, Operator, lit};
use datafusion::prelude::{SessionContext, col};
use tracewell_lake::scan::Store;
use tracewell_model::schema::{LOGS, SPANS};
use tracewell_model::time::Day;

use crate::engine;
use crate::view::ReadView;

/// A list of more hashes is no better than a join.
const MOST_HASHES: usize = 50_000;

/// Columns of references, in both sources.
const REFERENCES: [&str; 4] = ["input_refs", "output_refs", "system_ref", "tools_ref"];

/// What there is of some traces.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The days that have spans or records of them.
    pub(crate) days: BTreeSet<Day>,
    /// The contents that these name; `None` where they are not wanted, or too many to list.
    pub(crate) hashes: Option<BTreeSet<String>>,
}

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

/// Looks in [`facts`] for the rows of `traces`, and for the contents they name only where those are wanted.
pub(crate) async fn find(traces: &Expr, facts: &SessionContext, contents: bool) -> Result<Found> {
    let mut found = Found { hashes: contents.then(BTreeSet::new), ..Found::default() };
    let references = if contents { &REFERENCES[..] } else { &[] };
    for source in [SPANS.name, LOGS.name] {
        if !facts.table_exist(source)? {
            continue;
        }
        let columns = ["date"].iter().chain(references).map(|name| Expr::Column(Column::from_name(*name)));
        let rows = facts.table(source).await?.filter(traces.clone())?.select(columns)?;
        for batch in rows.collect().await? {
            found.add(&batch)?;
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        self.days.extend(rows.column(0).as_primitive::<Date32Type>().iter().flatten().map(Day));
        for references in &rows.columns()[1..] {
            let references = match references.data_type() {
                DataType::List(_) => references.as_list::<i32>().values().as_struct(),
                _ => references.as_struct(),
            };
            let Some(hashes) = &mut self.hashes else { continue };
            hashes.extend(texts(references)?.as_string_view().iter().flatten().map(str::to_owned));
            if hashes.len() > MOST_HASHES {
                self.hashes = None;
            }
        }
        Ok(())
    }

    /// The condition on `contents` that leaves what these traces name.
    pub(crate) fn contents(&self) -> Option<Expr> {
        let hashes = self.hashes.as_ref()?;
        let list = hashes.iter().map(|hash| lit(ScalarValue::Utf8View(Some(hash.clone())))).collect();
        Some(col("hash").in_list(list, false))
    }
}

fn texts(references: &StructArray) -> Result<ArrayRef> {
    match references.column_by_name("hash") {
        Some(hashes) => Ok(cast(hashes, &DataType::Utf8View)?),
        None => datafusion::common::internal_err!("a reference has no hash"),
    }
}
