//! Plans that pass on the rows of another, and change no more than how they are cut or kept; and rules that put them
//! into plans.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
    replace_children_if_necessary,
};

/// What becomes of the rows on their way.
type Way = fn(SendableRecordBatchStream, Arc<TaskContext>) -> SendableRecordBatchStream;

/// Passes on the rows of `input` in their order.
#[derive(Clone, Debug)]
struct Through {
    name: &'static str,
    input: Arc<dyn ExecutionPlan>,
    way: Way,
}

/// `plan`, where the rows of those children that are `chosen`, by their places, go their `way`; `EXPLAIN` shows `name`.
///
/// # Errors
/// When the plan does not take them.
pub(crate) fn through(
    plan: Arc<dyn ExecutionPlan>,
    name: &'static str,
    way: Way,
    chosen: impl Fn(usize, &Arc<dyn ExecutionPlan>) -> bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    // A plan without any would be made anew.
    if plan.children().is_empty() {
        return Ok(plan);
    }
    let on_its_way = |(place, child): (usize, &Arc<dyn ExecutionPlan>)| -> Arc<dyn ExecutionPlan> {
        let input = Arc::clone(child);
        if chosen(place, child) { Arc::new(Through { name, input, way }) } else { input }
    };
    let children = plan.children().into_iter().enumerate().map(on_its_way).collect();
    replace_children_if_necessary(plan, children)
}

/// What is done to a plan.
type Change = fn(Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>>;

/// A rule that looks at each plan by itself, those within it first.
#[derive(Debug)]
pub(crate) struct Each {
    pub(crate) name: &'static str,
    pub(crate) change: Change,
}

impl PhysicalOptimizerRule for Each {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|plan| {
            let changed = (self.change)(Arc::clone(&plan))?;
            let is_other = !Arc::ptr_eq(&plan, &changed);
            Ok(Transformed::new(changed, is_other, TreeNodeRecursion::Continue))
        })?;
        Ok(changed.data)
    }

    fn name(&self) -> &str {
        self.name
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl DisplayAs for Through {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ExecutionPlan for Through {
    fn name(&self) -> &str {
        self.name
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, ..Self::clone(&self) })),
            _ => internal_err!("{} has one child", self.name),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok((self.way)(self.input.execute(partition, Arc::clone(&context))?, context))
    }
}
