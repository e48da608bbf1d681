//! A derived table to DataFusion: what is settled comes from its files, the other dates are worked out on the spot.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result, ScalarValue, internal_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::col;
use tracewell_lake::scan::{self, ScanRequest};
use tracewell_lake::schema::table_schema;
use tracewell_model::schema::Table;
use tracewell_model::time::Day;

use crate::parts::{Part, Ties};
use crate::plans::in_turn::InTurn;
use crate::tables::filters::{is_lookup, physical_predicate, projected};
use crate::tables::lookup::{self, Places};
use crate::tables::settled::{Settled, beside};
use crate::tables::source::Source;
use crate::views;
use crate::views::prepared::nullable;

/// One derived table as one query sees it.
#[derive(Debug)]
pub(crate) struct DerivedProvider {
    table: &'static Table,
    settled: Arc<Settled>,
    source: Source,
    schema: SchemaRef,
}

impl DerivedProvider {
    pub(crate) fn new(table: &'static Table, source: Source) -> Self {
        let settled = source.view.settled(table);
        Self { table, settled: Arc::new(settled), source, schema: nullable(&table_schema(table)) }
    }

    /// `day` alone, worked out whether it is settled or not.
    pub(crate) fn of_day(table: &'static Table, day: Day, source: Source) -> Self {
        let settled = Settled { files: Vec::new(), dirty: BTreeSet::from([day]), stale: BTreeSet::new() };
        Self { table, settled: Arc::new(settled), source, schema: nullable(&table_schema(table)) }
    }

    /// What has to be worked out that may have rows for `predicate`, which comes of `filters`; `None` where nothing.
    async fn worked_out(
        &self,
        predicate: Option<&Arc<dyn PhysicalExpr>>,
        filters: &[Expr],
        schema: &SchemaRef,
        session: &dyn Session,
    ) -> Result<Option<InTurn>> {
        let mut wanted = among(&self.settled.dirty, predicate, &self.schema);
        if wanted.is_empty() {
            return Ok(None);
        }
        let Some(session) = session.as_any().downcast_ref::<SessionState>() else {
            return internal_err!("queries run in sessions of DataFusion's own");
        };
        let work = Work {
            table: self.table,
            source: self.source.clone(),
            schema: Arc::clone(schema),
            predicate: predicate.cloned(),
            session: session.clone(),
        };
        let Some(traces) = lookup::traces_of(filters) else {
            let what = format!("of {} dates", wanted.len());
            return Ok(Some(work.clone().in_turn(&what, self.some_days(&wanted), Work::days)));
        };
        let places = lookup::places(traces, &self.source).await?;
        wanted.retain(|day| places.days.contains(day));
        if wanted.is_empty() {
            return Ok(None);
        }
        let what = format!("of {} traces", places.traces.len());
        Ok(Some(work.in_turn(&what, [(places, wanted)], Work::traces)))
    }

    /// `days` in runs of so many as have not too many rows.
    fn some_days(&self, days: &BTreeSet<Day>) -> Vec<BTreeSet<Day>> {
        let mut runs: Vec<BTreeSet<Day>> = Vec::new();
        let mut rows = 0;
        for day in days {
            let of_day = self.source.view.sources().rows(*day);
            rows += of_day;
            match runs.last_mut() {
                Some(run) if rows <= ROWS_AT_ONCE => {
                    run.insert(*day);
                }
                _ => {
                    runs.push(BTreeSet::from([*day]));
                    rows = of_day;
                }
            }
        }
        runs
    }
}

/// Rows of days that are looked through at once.
const ROWS_AT_ONCE: u64 = 1 << 19;

/// Works out rows of a derived table.
#[derive(Clone)]
struct Work {
    table: &'static Table,
    source: Source,
    /// The columns that are wanted.
    schema: SchemaRef,
    /// What holds of the rows that are wanted.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    session: SessionState,
}

impl Work {
    fn in_turn<T, F>(
        self,
        what: &str,
        turns: impl IntoIterator<Item = T>,
        plan: impl Fn(Self, T) -> F + Clone + Send + Sync + 'static,
    ) -> InTurn
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'static,
    {
        let (what, schema) = (format!("{} {what}", self.table.name), Arc::clone(&self.schema));
        let environment = Arc::clone(&self.source.environment);
        InTurn::new(what, schema, &environment, turns, move |turn| plan(self.clone(), turn))
    }

    /// The rows of `days`, part by part.
    async fn days(self, days: BTreeSet<Day>) -> Result<Arc<dyn ExecutionPlan>> {
        let parts = Part::of_days(&days, &self.source).await?;
        let times = |part: &Part| {
            let (first, last) = part.times();
            let micros =
                |nanos: i64| ScalarValue::TimestampMicrosecond(Some(nanos.div_euclid(1_000)), Some("UTC".into()));
            vec![("start_unix_nano", first.into(), last.into()), ("start_time", micros(first), micros(last))]
        };
        let parts = may_have(parts, times, self.predicate.as_ref(), &table_schema(self.table));
        let what = format!("in {} parts", parts.len());
        let parts: Vec<_> = parts.into_iter().map(|part| (part, days.clone())).collect();
        Ok(Arc::new(self.in_turn(&what, parts, Self::part)))
    }

    /// The rows of `traces` and of those tied to them on `days`.
    async fn traces(self, (traces, days): (Places, BTreeSet<Day>)) -> Result<Arc<dyn ExecutionPlan>> {
        let part = Part::around(traces, &beside(&days), Ties::All, &self.source).await?;
        self.part((part, days)).await
    }

    async fn part(self, (part, days): (Part, BTreeSet<Day>)) -> Result<Arc<dyn ExecutionPlan>> {
        let context = part.facts(&beside(&days), Ties::All, &self.source)?;
        let rows = views::source(&context, self.table).await?;
        let of_table = table_schema(self.table);
        let columns = self.schema.fields().iter().map(|field| {
            let name = field.name().as_str();
            Ok(cast(col(name), of_table.field_with_name(name)?.data_type().clone()).alias(name))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let plan = LogicalPlanBuilder::from(rows).filter(of_dates(&days))?.project(columns)?.build()?;
        self.session.create_physical_plan(&plan).await
    }
}

/// Those of `days` that may have rows for `predicate` over `schema`.
pub(crate) fn among(
    days: &BTreeSet<Day>,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    schema: &SchemaRef,
) -> BTreeSet<Day> {
    let listed: Vec<Day> = days.iter().copied().collect();
    let of = |day: &Day| vec![("date", ScalarValue::Date32(Some(day.0)), ScalarValue::Date32(Some(day.0)))];
    may_have(listed, of, predicate, schema).into_iter().collect()
}

/// Those of `all` that may have rows for `predicate` over `schema`, by the least and the greatest value that columns
/// have `of` each.
fn may_have<T>(
    all: Vec<T>,
    of: impl Fn(&T) -> Vec<Bound>,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    schema: &SchemaRef,
) -> Vec<T> {
    let pruning = predicate.and_then(|predicate| {
        PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(Arc::clone(predicate))
    });
    let bounds = Bounds(all.iter().map(of).collect());
    match pruning.map(|pruning| pruning.prune(&bounds)) {
        Some(Ok(keep)) => all.into_iter().zip(keep).filter_map(|(one, keep)| keep.then_some(one)).collect(),
        _ => all,
    }
}

/// Whether `date` is one of `days`.
pub(crate) fn of_dates(days: &BTreeSet<Day>) -> Expr {
    col("date").in_list(days.iter().map(|day| lit(ScalarValue::Date32(Some(day.0)))).collect(), false)
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
        let schema = projected(&self.schema, projection)?;
        let mut inputs = Vec::new();
        if let Some(rows) = self.worked_out(predicate.as_ref(), filters, &schema, session).await? {
            inputs.push(Arc::new(rows) as Arc<dyn ExecutionPlan>);
        }
        let request = ScanRequest {
            projection: projection.cloned(),
            predicate,
            limit,
            partitions: session.config().target_partitions(),
            pushdown: is_lookup(filters),
        };
        inputs.extend(scan::plan(self.table, &self.settled.files, &self.source.store, &request).await?);
        Ok(match inputs.len() {
            0 => Arc::new(EmptyExec::new(schema)),
            1 => inputs.remove(0),
            _ => UnionExec::try_new(inputs)?,
        })
    }
}

/// A column, and the least and the greatest value that it may have.
type Bound = (&'static str, ScalarValue, ScalarValue);

/// The bounds of some columns of each of several sets of rows, as if each were a file.
struct Bounds(Vec<Vec<Bound>>);

impl Bounds {
    fn of(&self, column: &Column, pick: impl Fn(&Bound) -> &ScalarValue) -> Option<ArrayRef> {
        let of_set =
            |bounds: &Vec<Bound>| bounds.iter().find(|(name, ..)| *name == column.name).map(|b| pick(b).clone());
        ScalarValue::iter_to_array(self.0.iter().map(of_set).collect::<Option<Vec<_>>>()?).ok()
    }
}

impl PruningStatistics for Bounds {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |(_, least, _)| least)
    }
    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |(_, _, greatest)| greatest)
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
