//! What reads a table that holds nothing is left out before a plan is worked on any further.
//!
//! Views read log records and scores in half of their branches, and most applications send neither. The rules of the
//! planner would carry these branches along, and each of them takes its time.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan, TableScan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::provider::FactProvider;

/// The rule that does so.
#[derive(Debug)]
pub(crate) struct Vacant;

impl OptimizerRule for Vacant {
    fn name(&self) -> &str {
        "vacant"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let has_rows = match &plan {
            LogicalPlan::TableScan(scan) => !is_vacant(scan),
            // These the planner's own rule passes over.
            LogicalPlan::Unnest(_) | LogicalPlan::Distinct(_) => !plan.inputs().into_iter().all(is_nothing),
            _ => return PropagateEmptyRelation::new().rewrite(plan, config),
        };
        if has_rows {
            return Ok(Transformed::no(plan));
        }
        let schema = Arc::clone(plan.schema());
        Ok(Transformed::yes(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema })))
    }
}

fn is_vacant(scan: &TableScan) -> bool {
    let Ok(table) = source_as_provider(&scan.source) else { return false };
    table.is::<EmptyTable>() || table.downcast_ref::<FactProvider>().is_some_and(FactProvider::is_empty)
}

fn is_nothing(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(nothing) if !nothing.produce_one_row)
}
