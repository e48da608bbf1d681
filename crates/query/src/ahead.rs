//! Subqueries that say which ids are wanted are answered ahead of the query they stand in.
//!
//! `WHERE trace_id IN (SELECT …)` is a join to the planner: it reads every row and throws most away. With the ids in
//! their place, what files have none of them is not read, and views that put rows together begin with the few.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit};
use datafusion::prelude::SessionContext;
use futures::future::BoxFuture;

use crate::tables::filters::is_id;

/// A list of more ids is no better than a join.
const MOST: usize = 1_000;

/// `plan` with the answers in place of subqueries that give few ids.
pub(crate) fn answer(context: &SessionContext, plan: LogicalPlan) -> BoxFuture<'_, Result<LogicalPlan>> {
    Box::pin(async move {
        // Whoever asks how a query would run does not want it to begin.
        if matches!(plan, LogicalPlan::Explain(_)) {
            return Ok(plan);
        }
        let mut plan = plan;
        for asked in wanted(&plan)? {
            let (Expr::InSubquery(InSubquery { subquery, .. }) | Expr::ScalarSubquery(subquery)) = &asked else {
                continue;
            };
            let one = matches!(asked, Expr::ScalarSubquery(_));
            let Some(ids) = ids(context, subquery, if one { 1 } else { MOST }).await? else { continue };
            let known = match (&asked, ids) {
                (Expr::InSubquery(asked), ids) if !ids.is_empty() => {
                    asked.expr.as_ref().clone().in_list(ids.into_iter().map(lit).collect(), false)
                }
                (Expr::InSubquery(_), _) => lit(false),
                (_, mut ids) => match ids.pop() {
                    Some(id) => lit(id),
                    None => lit(ScalarValue::try_from(subquery.subquery.schema().field(0).data_type())?),
                },
            };
            plan = replaced(plan, &asked, &known)?;
        }
        Ok(plan)
    })
}

/// The subqueries that ids are compared with, where a row without such an id is not wanted.
fn wanted(plan: &LogicalPlan) -> Result<Vec<Expr>> {
    let mut found = Vec::new();
    plan.apply(|node| {
        if let LogicalPlan::Filter(filter) = node {
            found.extend(split_conjunction(&filter.predicate).into_iter().filter_map(subquery_of_ids));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn subquery_of_ids(condition: &Expr) -> Option<Expr> {
    let free = |subquery: &Subquery| subquery.outer_ref_columns.is_empty();
    match condition {
        Expr::InSubquery(asked) if !asked.negated && is_id(&asked.expr) && free(&asked.subquery) => {
            Some(condition.clone())
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            let sides = [(&binary.left, &binary.right), (&binary.right, &binary.left)];
            sides.into_iter().find_map(|(id, other)| match other.as_ref() {
                Expr::ScalarSubquery(subquery) if is_id(id) && free(subquery) => Some(other.as_ref().clone()),
                _ => None,
            })
        }
        _ => None,
    }
}

/// What a subquery gives, NULL left out; `None` when it is more than `most`.
async fn ids(context: &SessionContext, subquery: &Subquery, most: usize) -> Result<Option<Vec<ScalarValue>>> {
    let plan = answer(context, Arc::unwrap_or_clone(Arc::clone(&subquery.subquery))).await?;
    let mut plan = LogicalPlanBuilder::from(plan);
    // That a single value is wanted and there are two is told by the query itself.
    if most > 1 {
        plan = plan.distinct()?;
    }
    let plan = plan.limit(0, Some(most + 1))?.build()?;
    let batches = context.execute_logical_plan(plan).await?.collect().await?;
    if batches.iter().map(|batch| batch.num_rows()).sum::<usize>() > most {
        return Ok(None);
    }
    let mut ids = Vec::new();
    for column in batches.iter().map(|batch| batch.column(0)) {
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            ids.push(ScalarValue::try_from_array(column, row)?);
        }
    }
    Ok(Some(ids))
}

fn replaced(plan: LogicalPlan, asked: &Expr, known: &Expr) -> Result<LogicalPlan> {
    let plan = plan.transform_down(|node| match node {
        LogicalPlan::Filter(mut filter) => {
            let conditions = split_conjunction_owned(filter.predicate.clone());
            let conditions = conditions.into_iter().map(|condition| {
                let replaced = condition.transform_down(|inner| {
                    Ok(if inner == *asked { Transformed::yes(known.clone()) } else { Transformed::no(inner) })
                });
                replaced.map(|replaced| replaced.data)
            });
            if let Some(predicate) = conjunction(conditions.collect::<Result<Vec<_>>>()?) {
                filter.predicate = predicate;
            }
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(plan.data)
}
