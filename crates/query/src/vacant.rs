//! What reads a table that holds nothing is left out before a plan is worked on any further.
//!
//! Views read log records and scores in half of their branches, and most applications send neither. The rules of the
//! planner would carry these branches along, and each of them takes its time.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, Projection, TableScan, lit};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::newest::is_subquery;
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
        answered(plan)?.transform_data(|plan| {
            let has_rows = match &plan {
                LogicalPlan::TableScan(scan) => !is_vacant(scan),
                // These the planner's own rule passes over.
                LogicalPlan::Unnest(_) | LogicalPlan::Distinct(_) => !plan.inputs().into_iter().all(is_nothing),
                _ => return PropagateEmptyRelation::new().rewrite(named(plan)?, config),
            };
            if has_rows {
                return Ok(Transformed::no(plan));
            }
            let schema = Arc::clone(plan.schema());
            Ok(Transformed::yes(LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema })))
        })
    }
}

/// Says what a subquery without rows says: other rules take it for one without columns.
fn answered(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut asks = false;
    plan.apply_expressions(|expression| {
        asks |= expression.exists(|part| Ok(is_subquery(part)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !asks {
        return Ok(Transformed::no(plan));
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expression| {
        let name = names.save(&expression);
        let answered = expression.transform_up(|part| {
            let known = match &part {
                Expr::InSubquery(InSubquery { subquery, negated, .. }) | Expr::Exists(Exists { subquery, negated })
                    if is_nothing(&subquery.subquery) =>
                {
                    lit(*negated)
                }
                Expr::SetComparison(compared) if is_nothing(&compared.subquery.subquery) => {
                    lit(compared.quantifier == SetQuantifier::All)
                }
                Expr::ScalarSubquery(subquery) if is_nothing(&subquery.subquery) => {
                    lit(ScalarValue::try_from(subquery.subquery.schema().field(0).data_type())?)
                }
                _ => return Ok(Transformed::no(part)),
            };
            Ok(Transformed::yes(known))
        })?;
        Ok(answered.update_data(|expression| name.restore(expression)))
    })
}

/// Gives what is left of a union the names of its columns: they have none of a table, and are those of its first part.
fn named(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Union(mut union) = plan else { return Ok(plan) };
    if union.inputs.iter().any(|input| is_nothing(input)) {
        for input in union.inputs.iter_mut().filter(|input| !is_nothing(input)) {
            let columns = input
                .schema()
                .iter()
                .zip(union.schema.iter())
                .map(|(own, (table, wanted))| Expr::from(own).alias_qualified(table.cloned(), wanted.name()));
            *input = Arc::new(LogicalPlan::Projection(Projection::try_new(columns.collect(), Arc::clone(input))?));
        }
    }
    Ok(LogicalPlan::Union(union))
}

fn is_vacant(scan: &TableScan) -> bool {
    let Ok(table) = source_as_provider(&scan.source) else { return false };
    table.is::<EmptyTable>() || table.downcast_ref::<FactProvider>().is_some_and(FactProvider::is_empty)
}

fn is_nothing(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(nothing) if !nothing.produce_one_row)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::engine::session;

    #[tokio::test]
    async fn branches_that_read_an_empty_table_go_and_the_rows_stay() {
        let context = session(1, &Arc::default(), "UTC").unwrap();
        let list = DataType::new_list(DataType::Int64, true);
        let columns = vec![Field::new("id", DataType::Int64, true), Field::new("list", list, true)];
        context.register_table("nothing", Arc::new(EmptyTable::new(Arc::new(Schema::new(columns))))).unwrap();
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        context.register_batch("rows", RecordBatch::try_from_iter([("id", ids)]).unwrap()).unwrap();
        for (sql, rows) in [
            (
                "SELECT r.id, n.item FROM rows r LEFT JOIN (SELECT id, unnest(list) AS item FROM nothing) n ON n.id = r.id",
                2,
            ),
            ("SELECT id FROM rows UNION ALL SELECT DISTINCT id FROM nothing WHERE id > 1", 2),
            ("SELECT id FROM rows WHERE NOT EXISTS (SELECT 1 FROM nothing n WHERE n.id = rows.id)", 2),
            ("SELECT id FROM rows WHERE id IN (SELECT id FROM nothing)", 0),
            ("SELECT id FROM rows WHERE id NOT IN (SELECT id FROM nothing)", 2),
            ("SELECT id FROM rows WHERE id = 1 OR id IN (SELECT id FROM nothing)", 1),
            ("SELECT id FROM rows WHERE id > ALL (SELECT id FROM nothing)", 2),
            ("SELECT (SELECT max(n.id) FROM nothing n WHERE n.id = r.id GROUP BY n.id) FROM rows r", 2),
            ("SELECT id FROM nothing UNION ALL SELECT DISTINCT other FROM (SELECT id AS other FROM rows) AS t", 2),
            ("SELECT id FROM nothing UNION ALL VALUES (1) UNION ALL SELECT id + 1 FROM rows", 3),
            ("SELECT r.id FROM rows r JOIN nothing n ON n.id = r.id", 0),
            ("SELECT id, count(*) FROM nothing GROUP BY id", 0),
        ] {
            let frame = context.sql(sql).await.unwrap();
            let plan = frame.clone().into_optimized_plan().unwrap().display_indent().to_string();
            assert!(!plan.contains("nothing"), "{sql}\n{plan}");
            assert_eq!(frame.count().await.unwrap(), rows, "{sql}");
        }
        // One row tells that there is none.
        assert_eq!(context.sql("SELECT count(*) FROM nothing").await.unwrap().count().await.unwrap(), 1);
    }
}
