//! A derived table to DataFusion: what is settled comes from its files, the other dates are worked out on the spot.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Date32Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast, lit,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::col;
use tracewell_lake::scan::{self, ScanRequest, Store};
use tracewell_lake::schema::table_schema;
use tracewell_model::schema::Table;
use tracewell_model::time::Day;

use crate::prepared::nullable;
use crate::provider::{is_lookup, physical_predicate, projected};
use crate::settled::{Settled, beside};
use crate::view::ReadView;
use crate::{engine, views};

/// One derived table as one query sees it.
#[derive(Debug)]
pub(crate) struct DerivedProvider {
    table: &'static Table,
    view: Arc<ReadView>,
    settled: Settled,
    store: Store,
    environment: Arc<RuntimeEnv>,
    schema: SchemaRef,
}

impl DerivedProvider {
    pub(crate) fn new(table: &'static Table, view: Arc<ReadView>, store: Store, environment: Arc<RuntimeEnv>) -> Self {
        let settled = view.settled(table);
        let schema = nullable(&table_schema(table));
        Self { table, view, settled, store, environment, schema }
    }

    /// The dates to work out that may have rows for `predicate`.
    fn wanted(&self, predicate: Option<&Arc<dyn PhysicalExpr>>) -> BTreeSet<Day> {
        among(&self.settled.dirty, predicate, &self.schema)
    }
}

/// Those of `days` that may have rows for `predicate` over `schema`.
pub(crate) fn among(
    days: &BTreeSet<Day>,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    schema: &SchemaRef,
) -> BTreeSet<Day> {
    let pruning = predicate.and_then(|predicate| {
        PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(Arc::clone(predicate))
    });
    let listed: Vec<Day> = days.iter().copied().collect();
    match pruning.map(|pruning| pruning.prune(&Dates(&listed))) {
        Some(Ok(keep)) => listed.iter().zip(keep).filter(|(_, keep)| *keep).map(|(day, _)| *day).collect(),
        _ => days.clone(),
    }
}

/// Whether `date` is one of `days`.
pub(crate) fn of_dates(days: &BTreeSet<Day>) -> Expr {
    col("date").in_list(days.iter().map(|day| lit(ScalarValue::Date32(Some(day.0)))).collect(), false)
}

/// The rows of the derived `table` for `days`, worked out from the facts of `view`: the columns of
/// [`table_schema`].
///
/// # Errors
/// When the views cannot be planned.
pub(crate) async fn work_out(
    table: &'static Table,
    days: &BTreeSet<Day>,
    view: &ReadView,
    store: &Store,
    environment: &Arc<RuntimeEnv>,
) -> Result<LogicalPlan> {
    let context = engine::session(1, environment, "UTC")?;
    let beside = beside(days);
    for (name, facts) in view.facts() {
        engine::register_facts(&context, name, facts.of(&beside), store)?;
    }
    let source = views::source(&context, table).await?;
    let columns = table_schema(table);
    let columns = columns
        .fields()
        .iter()
        .map(|field| cast(col(field.name().as_str()), field.data_type().clone()).alias(field.name().as_str()));
    LogicalPlanBuilder::from(source).filter(of_dates(days))?.project(columns)?.build()
}

#[async_trait]
impl TableProvider for DerivedProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Inexact: files and dates are left out; the rows are filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let predicate = physical_predicate(session, filters, &self.schema)?;
        let wanted = self.wanted(predicate.as_ref());
        let schema = projected(&self.schema, projection)?;
        let mut inputs = Vec::new();
        if !wanted.is_empty() {
            let plan = work_out(self.table, &wanted, &self.view, &self.store, &self.environment).await?;
            let columns = schema.fields().iter().map(|field| col(field.name().as_str()));
            let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
            inputs.push(session.create_physical_plan(&plan).await?);
        }
        let request = ScanRequest {
            projection: projection.cloned(),
            predicate,
            limit,
            partitions: session.config().target_partitions(),
            pushdown: is_lookup(filters),
        };
        inputs.extend(scan::plan(self.table, &self.settled.files, &self.store, &request).await?);
        Ok(match inputs.len() {
            0 => Arc::new(EmptyExec::new(schema)),
            1 => inputs.remove(0),
            _ => UnionExec::try_new(inputs)?,
        })
    }
}

/// Dates as if each were a file of rows of that date.
struct Dates<'a>(&'a [Day]);

impl Dates<'_> {
    fn bounds(&self, column: &Column) -> Option<ArrayRef> {
        let days = || self.0.iter().map(|day| day.0);
        (column.name == "date").then(|| Arc::new(Date32Array::from_iter_values(days())) as ArrayRef)
    }
}

impl PruningStatistics for Dates<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column)
    }
    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column)
    }
    fn num_containers(&self) -> usize {
        self.0.len()
    }
    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }
    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }
    fn contained(&self, _column: &Column, _values: &std::collections::HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
