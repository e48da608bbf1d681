//! A view to DataFusion that a filter on `date` reaches: what is far from the dates asked for is not read.
//!
//! A row of such a view is put together from rows of several dates, so the planner cannot push a filter on its date
//! down. Here the view is planned anew for each scan, over the facts of the dates asked for and of those beside.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::{SessionContext, col};
use tracewell_model::time::Day;

use crate::parts::{Part, Ties};
use crate::plans::in_turn::InTurn;
use crate::prices::Prices;
use crate::tables::derived::{DerivedProvider, among, of_dates};
use crate::tables::filters::{physical_predicate, projected};
use crate::tables::held::held;
use crate::tables::lookup::{self, Places};
use crate::tables::one_of::listed;
use crate::tables::source::Source;
use crate::texts::TEXTS;
use crate::views::View;
use crate::views::prepared::nullable;
use crate::{functions, unasked, views};

/// One view as one query sees it.
#[derive(Clone, Debug)]
pub(crate) struct DatedProvider {
    view: &'static View,
    /// How many days a row's facts may lie from its date.
    reach: i32,
    source: Source,
    prices: Arc<Prices>,
    schema: SchemaRef,
}

impl DatedProvider {
    /// `view`, whose rows are put together from facts of at most `reach` days before and after; `columns` are its own.
    pub(crate) fn new(view: &'static View, reach: i32, columns: &Schema, source: Source, prices: Arc<Prices>) -> Self {
        // Over other dates the planner may know less of a column.
        let schema = nullable(columns);
        Self { view, reach, source, prices, schema }
    }

    /// Whether it is the view `traces`.
    pub(crate) fn is_traces(&self) -> bool {
        self.view.name == "traces"
    }

    /// Every date of which there is anything.
    pub(crate) fn days(&self) -> &BTreeSet<Day> {
        self.source.view.days()
    }

    /// The latest time of a span or a log record, in microseconds since 1970.
    pub(crate) fn last_start(&self) -> Option<i64> {
        self.source.view.sources().last_start
    }

    /// How many spans and records there are of `day`.
    pub(crate) fn rows_of(&self, day: Day) -> u64 {
        self.source.view.sources().rows(day)
    }

    /// The tables of spans and log records alone, without those that are empty.
    pub(crate) fn facts(&self) -> Result<SessionContext> {
        self.source.lookups()
    }

    /// The view over what lies within reach of `days`, and has a say in `traces`.
    async fn plan(&self, days: &BTreeSet<Day>, traces: Option<&Places>) -> Result<LogicalPlan> {
        let near: BTreeSet<Day> =
            days.iter().flat_map(|day| (-self.reach..=self.reach).map(|by| Day(day.0 + by))).collect();
        // A filter on the trace does not reach those facts by itself.
        let of_part = self.view.uses.contains(&"span_records");
        let context =
            match traces {
                Some(traces) if of_part => Part::around(traces.clone(), &near, Ties::Tools, &self.source)
                    .await?
                    .facts(&near, Ties::Tools, &self.source)?,
                _ => self.source.facts(1, |facts| facts.of(&near))?,
            };
        functions::register_prices(&context, &self.prices);
        let plan = views::plain(&context, self.view, |table| {
            let whole = DerivedProvider::new(table, self.source.clone());
            let dates = (!self.source.view.days().is_subset(&near)).then(|| of_dates(&near));
            let traces = traces.map(|places| listed("trace_id", &places.traces));
            let Some(near) = conjunction(dates.into_iter().chain(traces)) else { return Ok(Arc::new(whole)) };
            let plan = LogicalPlanBuilder::scan(table.name, provider_as_source(Arc::new(whole)), None)?
                .filter(near)?
                .build()?;
            Ok(Arc::new(ViewTable::new(plan, None)))
        });
        match traces {
            Some(traces) if !of_part => traces.without_nothing(plan.await?),
            _ => plan.await,
        }
    }

    /// What a scan is asked for, of `days`.
    async fn rows(self, days: BTreeSet<Day>, asked: Asked, session: SessionState) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.plan(&days, asked.traces.as_ref()).await?;
        let plan = unasked::without(plan, &asked.columns())?;
        let mut plan = LogicalPlanBuilder::from(plan).filter(of_dates(&days))?;
        if let Some(filter) = &asked.filter {
            plan = plan.filter(filter.clone())?;
        }
        let columns = asked.schema.fields().iter().map(|field| {
            let name = field.name().as_str();
            cast(col(name), field.data_type().clone()).alias(name)
        });
        let plan = plan.project(columns)?.limit(0, asked.limit)?.build()?;
        if asked.traces.is_none() {
            return session.create_physical_plan(&plan).await;
        }
        let plan = held(session.optimize(&plan)?, &session).await?;
        session.query_planner().create_physical_plan(&plan, &session).await
    }
}

/// What a scan is asked for.
#[derive(Clone, Debug)]
struct Asked {
    schema: SchemaRef,
    /// The only traces that are asked for.
    traces: Option<Places>,
    filter: Option<Expr>,
    limit: Option<usize>,
}

impl Asked {
    /// The columns that it takes to answer.
    fn columns(&self) -> HashSet<&str> {
        let shown = self.schema.fields().iter().map(|field| field.name().as_str());
        let filtered = self.filter.iter().flat_map(Expr::column_refs).map(|column| column.name.as_str());
        shown.chain(filtered).chain(["date"]).collect()
    }
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
        let traces = match lookup::traces_of(filters) {
            Some(traces) => Some(lookup::places(traces, &self.source).await?),
            None => None,
        };
        let days = traces.as_ref().map_or(self.days(), |traces| &traces.days);
        let wanted = among(days, predicate.as_ref(), &self.schema);
        let schema = projected(&self.schema, projection)?;
        if wanted.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let Some(session) = session.as_any().downcast_ref::<SessionState>().cloned() else {
            return internal_err!("queries run in sessions of DataFusion's own");
        };
        let view = self.clone();
        let asked = Asked { schema: Arc::clone(&schema), traces, filter: conjunction(filters.to_vec()), limit };
        if wanted.len() == 1 || !self.view.uses.contains(&TEXTS) {
            return view.rows(wanted, asked, session).await;
        }
        // Texts of many days have no place in memory, and rows of all days beside each other would have each day's
        // texts read again and again.
        let what = format!("{} of {} dates", self.view.name, wanted.len());
        let of_day = move |day| view.clone().rows(BTreeSet::from([day]), asked.clone(), session.clone());
        Ok(Arc::new(InTurn::new(what, schema, &self.source.environment, wanted, of_day)))
    }
}
