//! Unions of binary numbers and decimals, which are binary, as beside each other anywhere else.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::coerce_plan_expr_for_schema;
use datafusion::logical_expr::{LogicalPlan, Union};

/// Makes the columns of unions binary where a part of them is.
pub(crate) fn unions(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut any = false;
    plan.apply_with_subqueries(|node| {
        any |= matches!(node, LogicalPlan::Union(union) if !mixed(union).is_empty());
        Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if !any {
        return Ok(plan);
    }
    let agreed = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Union(union) => Ok(Transformed::yes(agree(union)?)),
        other => Ok(Transformed::yes(other.recompute_schema()?)),
    })?;
    Ok(agreed.data)
}

/// The columns that are binary in one part and decimal in another.
fn mixed(union: &Union) -> Vec<usize> {
    let columns = union.inputs.iter().map(|input| input.schema().fields().len()).min().unwrap_or(0);
    let any = |column: usize, is: fn(&DataType) -> bool| {
        union.inputs.iter().any(|input| is(input.schema().field(column).data_type()))
    };
    (0..columns).filter(|column| any(*column, DataType::is_floating) && any(*column, DataType::is_decimal)).collect()
}

fn agree(union: Union) -> Result<LogicalPlan> {
    let mixed = mixed(&union);
    let inputs = union.inputs.into_iter().map(|input| {
        let fields = input.schema().iter().enumerate().map(|(column, (qualifier, field))| {
            let binary = mixed.contains(&column) && field.data_type().is_decimal();
            let field = if binary {
                Arc::new(field.as_ref().clone().with_data_type(DataType::Float64))
            } else {
                Arc::clone(field)
            };
            (qualifier.cloned(), field)
        });
        let schema = DFSchema::new_with_metadata(fields.collect(), input.schema().metadata().clone())?;
        Ok(Arc::new(coerce_plan_expr_for_schema(Arc::unwrap_or_clone(input), &schema)?))
    });
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs.collect::<Result<_>>()?)?))
}
