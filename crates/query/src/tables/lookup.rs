//! Where the rows of some traces lie.
//!
//! A view that puts rows together from several tables reads all of a table that it joins, for the planner cannot know
//! which rows will be met. Where traces are asked for by their ids, a few rows of the facts tell their days.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchemaRef, JoinType, Result};
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, Operator};
use datafusion::prelude::col;
use tracewell_model::schema::LOGS;
use tracewell_model::time::Day;

use crate::tables::one_of::listed;
use crate::tables::settled::SOURCES;
use crate::tables::source::Source;

/// The ids of the traces that `filters` ask for; `None` where they ask otherwise.
pub(crate) fn traces_of(filters: &[Expr]) -> Option<BTreeSet<String>> {
    filters.iter().find_map(traces_in)
}

fn traces_in(filter: &Expr) -> Option<BTreeSet<String>> {
    let is_trace = |side: &Expr| matches!(side, Expr::Column(column) if column.name == "trace_id");
    let id = |side: &Expr| match side {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            let sides = [(&binary.left, &binary.right), (&binary.right, &binary.left)];
            let (_, other) = sides.into_iter().find(|(trace, _)| is_trace(trace))?;
            Some(BTreeSet::from([id(other)?]))
        }
        // So the planner writes a list of two or three.
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            Some(&traces_in(&binary.left)? | &traces_in(&binary.right)?)
        }
        Expr::InList(list) if !list.negated && is_trace(&list.expr) => list.list.iter().map(id).collect(),
        _ => None,
    }
}

/// Some traces, and where their rows lie.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) traces: BTreeSet<String>,
    pub(crate) days: BTreeSet<Day>,
    /// The first start of a span or time of a record, and the last, in nanoseconds since 1970.
    pub(crate) times: (i64, i64),
    /// Whether any span may have been sent again.
    repeated: bool,
    /// Whether there are log records of them.
    recorded: bool,
}

impl Places {
    /// `plan`, a view over the facts, without what there is none of: planning that takes longer than reading nothing.
    /// Views call the spans that were sent again `repeated`.
    ///
    /// # Errors
    /// When what is left is no plan.
    pub(crate) fn without_nothing(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|node| match &node {
            LogicalPlan::SubqueryAlias(alias) if !self.repeated && alias.alias.table() == "repeated" => {
                Ok(Transformed::yes(nothing(&alias.schema)))
            }
            LogicalPlan::TableScan(scan) if !self.recorded && scan.table_name.table() == LOGS.name => {
                Ok(Transformed::yes(nothing(&scan.projected_schema)))
            }
            // The planner would leave parts of a union out, too, and then mistake columns of what is left for its own.
            LogicalPlan::SubqueryAlias(alias) => match only_part(&alias.input) {
                Some(only) => {
                    LogicalPlanBuilder::from(only.clone()).alias(alias.alias.clone())?.build().map(Transformed::yes)
                }
                None => Ok(Transformed::no(node)),
            },
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(plan.data)
    }
}

fn nothing(schema: &DFSchemaRef) -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::clone(schema) })
}

/// Whether `plan` has no rows because there is nothing that it reads.
fn is_nothing(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::EmptyRelation(empty) => !empty.produce_one_row,
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            is_nothing(&join.left) || is_nothing(&join.right)
        }
        LogicalPlan::Aggregate(aggregate) => !aggregate.group_expr.is_empty() && is_nothing(&aggregate.input),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Window(_) => plan.inputs().into_iter().all(is_nothing),
        _ => false,
    }
}

/// The only part of a union that has rows, where its columns are those of the union.
fn only_part(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    let LogicalPlan::Union(union) = plan else { return None };
    let parts: Vec<_> = union.inputs.iter().filter(|part| !is_nothing(part)).collect();
    let [only] = parts[..] else { return None };
    let columns = |schema: &DFSchemaRef| -> Vec<(String, DataType)> {
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
    };
    (columns(only.schema()) == columns(&union.schema)).then_some(only)
}

/// Looks for the spans and records of `traces`.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn places(traces: BTreeSet<String>, source: &Source) -> Result<Places> {
    let context = source.lookups()?;
    let mut places =
        Places { traces, days: BTreeSet::new(), times: (i64::MAX, i64::MIN), repeated: false, recorded: false };
    let mut spans = HashSet::new();
    for (table, time) in SOURCES {
        if !context.table_exist(table)? {
            continue;
        }
        let columns = [col("date"), col(time), col("span_id")];
        let rows = context.table(table).await?.filter(listed("trace_id", &places.traces))?.select(columns)?;
        for batch in rows.collect().await? {
            places.days.extend(batch.column(0).as_primitive::<Date32Type>().iter().flatten().map(Day));
            for time in batch.column(1).as_primitive::<Int64Type>().iter().flatten() {
                places.times = (places.times.0.min(time), places.times.1.max(time));
            }
            if table == LOGS.name {
                places.recorded |= batch.num_rows() > 0;
            } else {
                for span in batch.column(2).as_string_view() {
                    places.repeated |= !spans.insert(span.map(str::to_owned));
                }
            }
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::execution::runtime_env::RuntimeEnv;
    use datafusion::prelude::lit;
    use tracewell_lake::schema::table_schema;
    use tracewell_model::schema::{FACT_TABLES, KEPT_TABLES};

    use super::*;
    use crate::views::{self, VIEWS};
    use crate::{contexts, functions};

    /// How often the messages of traces read spans and log records.
    async fn scans_of_messages(repeated: bool, recorded: bool) -> [usize; 2] {
        let context = contexts::session(1, &Arc::new(RuntimeEnv::default()), "UTC").expect("a session");
        functions::register_prices(&context, &Arc::default());
        for table in FACT_TABLES.iter().chain(KEPT_TABLES) {
            let empty = Arc::new(EmptyTable::new(table_schema(table)));
            context.register_table(table.name, empty).expect("a name of its own");
        }
        let messages = VIEWS.iter().find(|view| view.name == "messages").expect("a view");
        let plan = views::plain(&context, messages, |table| Ok(Arc::new(EmptyTable::new(table_schema(table)))));
        let plan = plan.await.expect("it is planned");
        let traces = BTreeSet::from(["a".to_owned()]);
        let places = Places { traces, days: BTreeSet::new(), times: (0, 0), repeated, recorded };
        let plan = context.state().optimize(&places.without_nothing(plan).expect("a plan")).expect("it is optimized");
        let mut scans = [0; 2];
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let place = SOURCES.iter().position(|(table, _)| *table == scan.table_name.table());
                place.into_iter().for_each(|place| scans[place] += 1);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .expect("nothing fails");
        scans
    }

    #[tokio::test]
    async fn what_there_is_none_of_is_not_planned() {
        assert_eq!(scans_of_messages(false, false).await, [1, 0]);
        assert_eq!(scans_of_messages(false, true).await, [2, 1]);
        let [spans, logs] = scans_of_messages(true, true).await;
        assert!(spans > 2 && logs == 1, "{spans} {logs}");
    }

    #[test]
    fn traces_are_asked_for_in_each_way_that_the_planner_writes_a_list() {
        let is = |id: &str| col("trace_id").eq(lit(id));
        let found = |filter: Expr| traces_of(&[col("kind").eq(lit("llm")), filter]).map(|traces| traces.len());
        assert_eq!(found(is("a")), Some(1));
        assert_eq!(found(lit("a").eq(col("trace_id"))), Some(1));
        assert_eq!(found(is("a").or(is("b")).or(is("c"))), Some(3));
        assert_eq!(found(col("trace_id").in_list(vec![lit("a"), lit("b")], false)), Some(2));
        assert_eq!(found(is("a").or(col("name").eq(lit("b")))), None);
        assert_eq!(found(col("trace_id").in_list(vec![lit("a")], true)), None);
        assert_eq!(found(col("trace_id").gt(lit("a"))), None);
    }
}
