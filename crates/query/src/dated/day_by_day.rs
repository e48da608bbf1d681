//! A view's rows one day after the other.
//!
//! Texts of many days have no place in memory, and rows of all days beside each other would have each day's texts read
//! again and again. So each day is planned when it is its turn.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, ReplaceChildrenOptions, execute_stream,
};
use futures::{StreamExt, TryStreamExt, stream};
use tracewell_model::time::Day;

use super::{Asked, DatedProvider};

/// The rows of some days, in the order of the days.
#[derive(Debug)]
pub(super) struct DayByDay {
    view: DatedProvider,
    days: BTreeSet<Day>,
    asked: Asked,
    session: SessionState,
    properties: Arc<PlanProperties>,
}

impl DayByDay {
    pub(super) fn new(view: DatedProvider, days: BTreeSet<Day>, asked: Asked, session: SessionState) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&asked.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { view, days, asked, session, properties: Arc::new(properties) }
    }
}

impl DisplayAs for DayByDay {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DayByDay: view={}, days={}", self.view.view.name, self.days.len())?;
        self.asked.filter.iter().try_for_each(|filter| write!(f, ", {filter}"))
    }
}

impl ExecutionPlan for DayByDay {
    fn name(&self) -> &str {
        "DayByDay"
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

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("days are planned when it is their turn") }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("days are planned when it is their turn") }
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (view, asked, session) = (self.view.clone(), self.asked.clone(), self.session.clone());
        let days = stream::iter(self.days.clone()).then(move |day| {
            let (view, asked, session, context) = (view.clone(), asked.clone(), session.clone(), Arc::clone(&context));
            async move {
                let plan = view.rows(&BTreeSet::from([day]), &asked, &session).await?;
                execute_stream(plan, context)
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.asked.schema), days.try_flatten())))
    }
}
