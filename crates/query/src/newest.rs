//! The newest runs: where a query wants the first few by their start, only what began lately is put together.
//!
//! A run is put together from all its spans, so the planner has every run put together before it can tell which are
//! the newest. But a run that began after some moment has no span from before it: what was recorded since names all
//! runs that may be wanted. Those alone are put together; where they are too few, the moment is an earlier one.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, Result, ScalarValue, internal_err};
use datafusion::datasource::{MemTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Expr, ExprSchemable, FetchType, JoinType, Limit, LogicalPlan, LogicalPlanBuilder, Operator, Projection, SkipType,
    Sort, SubqueryAlias, TableScan, lit,
};
use datafusion::prelude::{SessionContext, col};
use futures::future::BoxFuture;
use tracewell_model::schema::{LOGS, SPANS};
use tracewell_model::time::Day;

use crate::tables::dated::DatedProvider;
use crate::tables::filters::{constant, is_lookup};

/// Rows that a query may want, those that it skips counted.
const MOST_ROWS: usize = 500;
/// Runs that are looked up one by one.
const MOST_IDS: usize = 2_000;
/// Spans that a run is thought to have: the first moment is so far back as those of the runs that are wanted reach, and
/// each further one so many times farther.
const SPANS_OF_A_RUN: usize = 16;
const TIMES: i64 = 4;
/// Where single runs are too many: the newest dates that are tried, one after the other.
const DATES: [usize; 2] = [1, 8];

/// The start of a run, under way through a plan.
const CARRIED: &str = "__start_time";

/// `plan` with the answers in place of its newest runs; `None` where it has none that could be found this way.
pub(crate) fn answer<'a>(
    context: &'a SessionContext,
    plan: &'a LogicalPlan,
) -> BoxFuture<'a, Result<Option<LogicalPlan>>> {
    Box::pin(async move {
        // Whoever asks how a query would run does not want it to begin.
        if matches!(plan, LogicalPlan::Explain(_)) {
            return Ok(None);
        }
        if let Some(newest) = Newest::of(context, plan)? {
            return newest.answer(context).await;
        }
        let mut inputs: Vec<_> = plan.inputs().into_iter().cloned().collect();
        let mut changed = false;
        for input in &mut inputs {
            if let Some(answered) = answer(context, input).await? {
                (*input, changed) = (answered, true);
            }
        }
        changed.then(|| plan.with_new_exprs(plan.expressions(), inputs)).transpose()
    })
}

/// `ORDER BY start_time DESC LIMIT …` over the view `traces`, or over what does no more than filter it and add to it.
struct Newest<'a> {
    limit: &'a Limit,
    sort: &'a Sort,
    traces: Arc<DatedProvider>,
    rows: usize,
    /// No earlier runs are wanted, and no later ones, in microseconds since 1970.
    first: Option<i64>,
    last: Option<i64>,
}

impl<'a> Newest<'a> {
    fn of(context: &SessionContext, plan: &'a LogicalPlan) -> Result<Option<Self>> {
        let LogicalPlan::Limit(limit) = plan else { return Ok(None) };
        let LogicalPlan::Sort(sort) = limit.input.as_ref() else { return Ok(None) };
        let (SkipType::Literal(skip), FetchType::Literal(Some(fetch))) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Ok(None);
        };
        let Some(start) = sort.expr.first().filter(|by| !by.asc).and_then(|by| column(&by.expr)) else {
            return Ok(None);
        };
        let mut conditions = Vec::new();
        let Some(traces) = traces(&sort.input, start, &mut conditions) else { return Ok(None) };
        let rows = skip.saturating_add(fetch);
        if !(1..=MOST_ROWS).contains(&rows) {
            return Ok(None);
        }
        let mut newest = Self { limit, sort, traces, rows, first: None, last: None };
        for (operator, bound) in conditions.iter().filter_map(|(condition, start)| bound(condition, start)) {
            match moment(context, bound) {
                Some(first) if matches!(operator, Operator::Gt | Operator::GtEq) => {
                    newest.first = newest.first.max(Some(first))
                }
                Some(last) => newest.last = Some(newest.last.map_or(last, |before| before.min(last))),
                None => {}
            }
        }
        Ok(Some(newest))
    }

    async fn answer(&self, context: &SessionContext) -> Result<Option<LogicalPlan>> {
        let days = self.traces.days();
        let (Some(first), Some(last)) = (days.first(), self.traces.last_start()) else { return Ok(None) };
        let (first, last) = (first.start_micros(), self.last.map_or(last, |wanted| wanted.min(last)));
        let facts = self.traces.facts()?;
        let (mut back, mut nearest) = (self.first_step(last), true);
        loop {
            let since = last.saturating_sub(back);
            let Some(runs) = began(&facts, since, last).await? else {
                // So many began in a burst: nearer to its end there may be few enough.
                back /= TIMES;
                if nearest && back > 0 {
                    continue;
                }
                break;
            };
            nearest = false;
            if runs.len() >= self.rows || self.first.is_some_and(|first| since <= first) {
                let wanted = |traces: &TableScan| of(traces, "trace_id").in_list(runs.clone(), false);
                if let Some(found) = self.found(context, &wanted, since).await? {
                    return Ok(Some(found));
                }
            }
            if since <= first {
                // There is nothing before.
                return Ok(None);
            }
            back = back.saturating_mul(TIMES);
        }
        // What a record tells of may have begun on the day before its date.
        let days: Vec<_> = days.iter().filter(|day| Day(day.0 - 1).start_micros() <= last).collect();
        for count in DATES.into_iter().filter(|count| *count < days.len()) {
            let newest: Vec<_> = days.iter().rev().take(count).collect();
            let Some(since) = newest.last().map(|day| day.start_micros()) else { break };
            let newest: Vec<_> = newest.into_iter().map(|day| lit(ScalarValue::Date32(Some(day.0)))).collect();
            let wanted = |traces: &TableScan| of(traces, "date").in_list(newest.clone(), false);
            if let Some(found) = self.found(context, &wanted, since).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// So many microseconds before `last` as the spans that are wanted take, by the pace of its day and the day before.
    fn first_step(&self, last: i64) -> i64 {
        let today = Day::of(last.saturating_mul(1_000));
        let days = [Day(today.0 - 1), today];
        let spans: u64 = days.iter().map(|day| self.traces.rows_of(*day)).sum();
        let wanted = (self.rows * SPANS_OF_A_RUN).min(MOST_IDS) as i64;
        let each = (last - days[0].start_micros()) / i64::try_from(spans.max(1)).unwrap_or(i64::MAX);
        (each * wanted).max(1)
    }

    /// The plan with its rows in place, if those of the traces that are `wanted` are all that are asked for: the others
    /// began before `since`.
    async fn found(
        &self,
        context: &SessionContext,
        wanted: &impl Fn(&TableScan) -> Expr,
        since: i64,
    ) -> Result<Option<LogicalPlan>> {
        let (few, start) = few(&self.sort.input, wanted)?;
        let few = LogicalPlanBuilder::from(few).sort(self.sort.expr.clone())?.limit(0, Some(self.rows))?.build()?;
        let few_schema = Arc::clone(few.schema().inner());
        let at = few.schema().index_of_column(&start)?;
        let columns = self.sort.input.schema().columns();
        let columns = columns.iter().map(|column| few.schema().index_of_column(column)).collect::<Result<Vec<_>>>()?;
        let rows = context.execute_logical_plan(few).await?.collect().await?;
        let earliest = rows.iter().rfind(|rows| rows.num_rows() > 0).map(|rows| {
            let starts = rows.column(at).as_primitive::<TimestampMicrosecondType>();
            starts.value(rows.num_rows() - 1)
        });
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        let enough = count == self.rows && earliest.is_some_and(|earliest| earliest >= since);
        if !enough && self.first.is_none_or(|first| first < since) {
            return Ok(None);
        }
        let rows = rows.iter().map(|rows| rows.project(&columns)).collect::<Result<Vec<_>, _>>()?;
        let schema =
            rows.first().map_or_else(|| few_schema.project(&columns).map(Arc::new), |rows| Ok(rows.schema()))?;
        let table = Arc::new(MemTable::try_new(schema, vec![rows])?);
        let names = self.sort.input.schema().iter();
        let scan = LogicalPlanBuilder::scan("newest", provider_as_source(table), None)?;
        let columns = scan.schema().columns();
        let columns = columns.into_iter().zip(names).map(|(column, (table, field))| {
            Expr::Column(column).alias_qualified(table.cloned(), field.name().as_str())
        });
        let sort = Sort { input: Arc::new(scan.project(columns)?.build()?), ..self.sort.clone() };
        Ok(Some(LogicalPlan::Limit(Limit { input: Arc::new(LogicalPlan::Sort(sort)), ..self.limit.clone() })))
    }
}

/// The ids of the traces that may have begun between `first` and `last`; `None` when they are too many.
async fn began(facts: &SessionContext, first: i64, last: i64) -> Result<Option<Vec<Expr>>> {
    let time = |micros| lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())));
    let spans = col("start_time").between(time(first), time(last));
    // A record is written when what it tells of is over.
    let records = col("time").gt_eq(time(first)).and(col("record_id").is_not_null()).and(col("trace_id").is_not_null());
    let mut ids = BTreeSet::new();
    for (table, condition) in [(SPANS.name, spans), (LOGS.name, records)] {
        if !facts.table_exist(table)? {
            continue;
        }
        let rows = facts.table(table).await?.filter(condition)?.select_columns(&["trace_id"])?;
        for rows in rows.distinct()?.limit(0, Some(MOST_IDS + 1))?.collect().await? {
            let found = cast(rows.column(0), &DataType::Utf8View)?;
            ids.extend(found.as_string_view().iter().flatten().map(str::to_owned));
        }
    }
    let few = ids.len() <= MOST_IDS;
    Ok(few.then(|| ids.into_iter().map(|id| lit(ScalarValue::Utf8View(Some(id)))).collect()))
}

/// The provider of the view `traces`, if `plan` does no more than filter it and add to it, and `start` is its start.
/// What rows are filtered by goes to `conditions`, with the start as each knows it.
fn traces<'a>(
    plan: &'a LogicalPlan,
    start: &Column,
    conditions: &mut Vec<(&'a Expr, Column)>,
) -> Option<Arc<DatedProvider>> {
    let at = plan.schema().maybe_index_of_column(start)?;
    match plan {
        LogicalPlan::Projection(projection) => traces(&projection.input, column(&projection.expr[at])?, conditions),
        LogicalPlan::Filter(filter) => {
            for condition in split_conjunction(&filter.predicate) {
                // Whoever names a run has few of them; and what asks anew would be asked several times.
                let asks = condition.is_volatile() || condition.exists(|part| Ok(is_subquery(part))).unwrap_or(true);
                if asks || is_lookup(std::slice::from_ref(condition)) {
                    return None;
                }
                conditions.push((condition, start.clone()));
            }
            traces(&filter.input, start, conditions)
        }
        LogicalPlan::SubqueryAlias(alias) => traces(&alias.input, &alias.input.schema().columns()[at], conditions),
        LogicalPlan::Join(join) if join.join_type == JoinType::Left => traces(&join.left, start, conditions),
        LogicalPlan::TableScan(scan) if start.name == "start_time" => {
            let provider = source_as_provider(&scan.source).ok()?;
            let provider = (provider as Arc<dyn std::any::Any + Send + Sync>).downcast::<DatedProvider>().ok()?;
            Some(provider).filter(|provider| provider.is_traces())
        }
        _ => None,
    }
}

/// What `condition` compares `start` with, and how.
fn bound<'a>(condition: &'a Expr, start: &Column) -> Option<(Operator, &'a Expr)> {
    use Operator::{Gt, GtEq, Lt, LtEq};
    let Expr::BinaryExpr(binary) = condition else { return None };
    let is_start = |side: &Expr| column(side).is_some_and(|column| column.name == start.name);
    let (operator, bound) = match (is_start(&binary.left), is_start(&binary.right)) {
        (true, false) => (binary.op, binary.right.as_ref()),
        (false, true) => (binary.op.swap()?, binary.left.as_ref()),
        _ => return None,
    };
    (matches!(operator, Gt | GtEq | Lt | LtEq) && bound.column_refs().is_empty()).then_some((operator, bound))
}

/// The moment that an expression without columns says, in microseconds since 1970.
fn moment(context: &SessionContext, expression: &Expr) -> Option<i64> {
    // What a time without a zone means is not for us to say.
    let DataType::Timestamp(_, Some(_)) = expression.get_type(&DFSchema::empty()).ok()? else { return None };
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let expression = expression.clone().cast_to(&utc, &DFSchema::empty()).ok()?;
    let said = context.create_physical_expr(expression, &DFSchema::empty()).ok()?;
    match constant(said.as_ref())? {
        ScalarValue::TimestampMicrosecond(micros, _) => micros,
        _ => None,
    }
}

/// `plan`, which [`traces`] knows, over those traces alone that are `wanted`, and the column of their start, which it
/// has besides its own.
fn few(plan: &LogicalPlan, wanted: &impl Fn(&TableScan) -> Expr) -> Result<(LogicalPlan, Column)> {
    let (input, start) = match plan {
        LogicalPlan::TableScan(scan) => {
            let plan = LogicalPlanBuilder::from(plan.clone()).filter(wanted(scan))?.build()?;
            return Ok((plan, Column::new(Some(scan.table_name.clone()), "start_time")));
        }
        other => match other.inputs().first() {
            Some(input) => few(input, wanted)?,
            None => return internal_err!("a plan over runs ends in a table"),
        },
    };
    Ok(match plan {
        LogicalPlan::Projection(projection) => {
            let carried = Expr::Column(start).alias(CARRIED);
            let columns = projection.expr.iter().cloned().chain([carried]).collect();
            (LogicalPlan::Projection(Projection::try_new(columns, Arc::new(input))?), Column::from_name(CARRIED))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let start = Column::new(Some(alias.alias.clone()), start.name);
            (LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?), start)
        }
        other => {
            let inputs = [input].into_iter().chain(other.inputs().into_iter().skip(1).cloned()).collect();
            (other.with_new_exprs(other.expressions(), inputs)?, start)
        }
    })
}

/// The column that an expression shows, maybe in another time zone.
fn column(expression: &Expr) -> Option<&Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column(&alias.expr),
        Expr::Cast(cast) if matches!(cast.field.data_type(), DataType::Timestamp(TimeUnit::Microsecond, Some(_))) => {
            column(&cast.expr)
        }
        _ => None,
    }
}

fn of(scan: &TableScan, column: &str) -> Expr {
    Expr::Column(Column::new(Some(scan.table_name.clone()), column))
}

fn is_subquery(expression: &Expr) -> bool {
    matches!(expression, Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_))
}
