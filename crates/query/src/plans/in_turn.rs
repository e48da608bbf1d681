//! Plans that give their rows one after the other, each made when it is its turn.
//!
//! What is too much to work out at once is worked out in turns: memory holds what one turn needs.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, execute_stream,
};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};

/// Makes the plan of one turn.
type Turn = Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn ExecutionPlan>>> + Send + Sync>;

/// The rows of several plans, in their order.
#[derive(Clone)]
pub(crate) struct InTurn {
    /// What `EXPLAIN` shows.
    what: String,
    turns: Vec<Turn>,
    environment: Arc<RuntimeEnv>,
    properties: Arc<PlanProperties>,
}

impl InTurn {
    /// The plans that `plan` makes of `turns`, each executed in `environment`.
    pub(crate) fn new<T, F>(
        what: String,
        schema: SchemaRef,
        environment: &Arc<RuntimeEnv>,
        turns: impl IntoIterator<Item = T>,
        plan: impl Fn(T) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'static,
    {
        let turn = |turn: T| -> Turn {
            let plan = plan.clone();
            Arc::new(move || Box::pin(plan(turn.clone())))
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (turns, environment) = (turns.into_iter().map(turn).collect(), Arc::clone(environment));
        Self { what, turns, environment, properties: Arc::new(properties) }
    }
}

impl fmt::Debug for InTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for InTurn {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InTurn: {}", self.what)
    }
}

impl ExecutionPlan for InTurn {
    fn name(&self) -> &str {
        "InTurn"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a plan is made when it is its turn") }
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (config, environment) = (context.session_config().clone(), Arc::clone(&self.environment));
        let context = Arc::new(TaskContext::default().with_session_config(config).with_runtime(environment));
        let rows = stream::iter(self.turns.clone()).then(move |turn| {
            let context = Arc::clone(&context);
            async move { execute_stream(turn().await?, context) }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows.try_flatten())))
    }
}
