//! Facts of a run or a call that a view adds to its rows, and no query asks for, are not read.
//!
//! The planner cannot know that a row has one run and one call at most, so it would keep such a join for the number of
//! rows alone. Here it is left out before the planner sees it, by the columns that are asked for.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder, Projection};

/// The view that has the facts of each run once.
pub(crate) const RUN_FACTS: &str = "run_facts";

/// What has one row at most for each row that joins it.
const UNIQUE: [&str; 2] = [RUN_FACTS, "llm_calls"];

/// `plan`, a view, with the columns of these names alone, and without the joins that none of them is from.
///
/// # Errors
/// When what is left is no plan.
pub(crate) fn without(plan: LogicalPlan, asked: &HashSet<&str>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => {
            let plan = without(Arc::unwrap_or_clone(alias.input), asked)?;
            LogicalPlanBuilder::from(plan).alias(alias.alias)?.build()
        }
        LogicalPlan::Projection(projection) => {
            let columns = projection.expr.into_iter().zip(projection.schema.fields());
            let wanted = columns.filter(|(_, field)| asked.contains(field.name().as_str()));
            let wanted: Vec<Expr> = wanted.map(|(expression, _)| expression).collect();
            let rows = fewer_joins(Arc::unwrap_or_clone(projection.input), columns_of(&wanted))?;
            Ok(LogicalPlan::Projection(Projection::try_new(wanted, Arc::new(rows))?))
        }
        other => Ok(other),
    }
}

fn columns_of(expressions: &[Expr]) -> HashSet<Column> {
    expressions.iter().flat_map(Expr::column_refs).cloned().collect()
}

/// `plan`, of which only the columns `used` are read, without the joins that have none of them.
fn fewer_joins(plan: LogicalPlan, mut used: HashSet<Column>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Join(join) if adds_facts(&join) => {
            let facts = join.left.schema();
            if !used.iter().any(|column| facts.has_column(column)) {
                return fewer_joins(Arc::unwrap_or_clone(join.right), used);
            }
            let (left, right) = (join.left.as_ref().clone(), join.right.as_ref().clone());
            let plan = LogicalPlan::Join(join);
            used.extend(columns_of(&plan.expressions()));
            plan.with_new_exprs(plan.expressions(), vec![left, fewer_joins(right, used)?])
        }
        // Texts beside the rows.
        LogicalPlan::Extension(_) => {
            used.extend(columns_of(&plan.expressions()));
            let inputs = plan.inputs().into_iter().cloned().map(|input| fewer_joins(input, used.clone()));
            plan.with_new_exprs(plan.expressions(), inputs.collect::<Result<_>>()?)
        }
        other => Ok(other),
    }
}

fn adds_facts(join: &Join) -> bool {
    join.join_type == JoinType::Right && UNIQUE.iter().any(|name| is_of(&join.left, name))
}

fn is_of(plan: &LogicalPlan, name: &str) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => alias.alias.table() == name || is_of(&alias.input, name),
        LogicalPlan::Projection(columns) => is_of(&columns.input, name),
        LogicalPlan::TableScan(scan) => scan.table_name.table() == name,
        _ => false,
    }
}
