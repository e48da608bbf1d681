//! A view to DataFusion that a filter on `date` reaches: what is far from the dates asked for is not read.
//!
//! A row of such a view is put together from rows of several dates, so the planner cannot push a filter on its date
//! down. Here the view is planned anew for each scan, over the facts of the dates asked for and of those beside.

mod day_by_day;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::{SessionContext, col};
use tracewell_lake::scan::Store;
use tracewell_model::time::Day;

use crate::derived::{DerivedProvider, among, of_dates};
use crate::prepared::nullable;
use crate::prices::Prices;
use crate::provider::{physical_predicate, projected};
use crate::texts::TEXTS;
use crate::view::ReadView;
use crate::views::View;
use crate::{engine, functions, lookup, views};
use day_by_day::DayByDay;

/// One view as one query sees it.
#[derive(Clone, Debug)]
pub(crate) struct DatedProvider {
    view: &'static View,
    /// How many days a row's facts may lie from its date.
    reach: i32,
    read: Arc<ReadView>,
    store: Store,
    environment: Arc<RuntimeEnv>,
    prices: Arc<Prices>,
    schema: SchemaRef,
}

impl DatedProvider {
    /// `view`, whose rows are put together from facts of at most `reach` days before and after; `columns` are its own.
    pub(crate) fn new(
        view: &'static View,
        reach: i32,
        columns: &Schema,
        read: Arc<ReadView>,
        store: Store,
        environment: Arc<RuntimeEnv>,
        prices: Arc<Prices>,
    ) -> Self {
        // Over other dates the planner may know less of a column.
        let schema = nullable(columns);
        Self { view, reach, read, store, environment, prices, schema }
    }

    /// Whether it is the view `traces`.
    pub(crate) fn is_traces(&self) -> bool {
        self.view.name == "traces"
    }

    /// Every date of which there is anything.
    pub(crate) fn days(&self) -> BTreeSet<Day> {
        self.read.days()
    }

    /// The latest time of a span or a log record, in microseconds since 1970.
    pub(crate) fn last_start(&self) -> Option<i64> {
        self.read.sources().last_start
    }

    /// The tables of spans and log records alone.
    pub(crate) fn facts(&self) -> Result<SessionContext> {
        lookup::facts(&self.read, &self.store, &self.environment)
    }

    /// The days that may have rows for `filters`.
    async fn asked(&self, filters: &[Expr]) -> Result<BTreeSet<Day>> {
        match lookup::traces_of(filters) {
            Some(traces) => lookup::days(&traces, &self.facts()?).await,
            None => Ok(self.read.days()),
        }
    }

    /// The view over what lies within reach of `days`.
    async fn plan(&self, days: &BTreeSet<Day>) -> Result<LogicalPlan> {
        let near: BTreeSet<Day> =
            days.iter().flat_map(|day| (-self.reach..=self.reach).map(|by| Day(day.0 + by))).collect();
        let context = engine::session(1, &self.environment, "UTC")?;
        functions::register_prices(&context, &self.prices);
        for (name, facts) in self.read.facts() {
            engine::register_facts(&context, name, facts.of(&near), &self.store)?;
        }
        views::plain(&context, self.view, |table| {
            let (read, environment) = (Arc::clone(&self.read), Arc::clone(&self.environment));
            let whole = DerivedProvider::new(table, read, self.store.clone(), environment);
            if self.read.days().is_subset(&near) {
                return Ok(Arc::new(whole));
            }
            let plan = LogicalPlanBuilder::scan(table.name, provider_as_source(Arc::new(whole)), None)?
                .filter(of_dates(&near))?
                .build()?;
            Ok(Arc::new(ViewTable::new(plan, None)))
        })
        .await
    }

    /// What a scan is asked for, of `days`.
    async fn rows(&self, days: &BTreeSet<Day>, asked: &Asked, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let mut plan = LogicalPlanBuilder::from(self.plan(days).await?).filter(of_dates(days))?;
        if let Some(filter) = &asked.filter {
            plan = plan.filter(filter.clone())?;
        }
        let columns = asked.schema.fields().iter().map(|field| {
            let name = field.name().as_str();
            cast(col(name), field.data_type().clone()).alias(name)
        });
        session.create_physical_plan(&plan.project(columns)?.limit(0, asked.limit)?.build()?).await
    }
}

/// What a scan is asked for.
#[derive(Clone, Debug)]
struct Asked {
    schema: SchemaRef,
    filter: Option<Expr>,
    limit: Option<usize>,
}

#[async_trait]
impl TableProvider for DatedProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        Some(self.view.sql)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let predicate = physical_predicate(session, filters, &self.schema)?;
        let wanted = among(&self.asked(filters).await?, predicate.as_ref(), &self.schema);
        let schema = projected(&self.schema, projection)?;
        if wanted.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let asked = Asked { schema, filter: conjunction(filters.to_vec()), limit };
        match session.as_any().downcast_ref::<SessionState>() {
            Some(session) if wanted.len() > 1 && self.view.uses.contains(&TEXTS) => {
                Ok(Arc::new(DayByDay::new(self.clone(), wanted, asked, session.clone())))
            }
            _ => self.rows(&wanted, &asked, session).await,
        }
    }
}
