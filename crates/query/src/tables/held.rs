//! The facts of a few traces, read once for all that a plan asks of them.
//!
//! A view reads the spans of a trace several times: as they are, to see which were sent again, the longest of those,
//! what the run says. Each reading would open the files anew, and each be planned.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{MemTable, provider_as_source, source_as_provider};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, TableScan};
use datafusion::prelude::DataFrame;

use crate::plans::compact::compact;
use crate::tables::lookup;
use crate::tables::one_of::listed;
use crate::tables::provider::FactProvider;
use crate::tables::settled::SOURCES;

/// More rows are read as they are asked for: what is held is not counted as memory of the query.
const MOST_ROWS: usize = 2_048;

/// The optimized `plan`, with the facts that several of its scans read of a few traces in memory.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn held(mut plan: LogicalPlan, session: &SessionState) -> Result<LogicalPlan> {
    for (table, _) in SOURCES {
        if let Some(asked) = Asked::of(&plan, table)?
            && let Some(rows) = asked.rows(session).await?
        {
            plan = asked.of_rows(plan, rows)?;
        }
    }
    Ok(plan)
}

/// What several scans of one table of facts ask for.
struct Asked {
    facts: Arc<dyn TableProvider>,
    traces: BTreeSet<String>,
    columns: BTreeSet<usize>,
}

impl Asked {
    /// What `plan` asks `table` for; `None` where it does so once at most.
    fn of(plan: &LogicalPlan, table: &str) -> Result<Option<Self>> {
        let (mut asked, mut scans) = (None, 0);
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && scan.table_name.table() == table
                && let (Some(columns), Some(traces)) = (&scan.projection, lookup::traces_of(&scan.filters))
            {
                let facts = source_as_provider(&scan.source)?;
                if facts.is::<FactProvider>() {
                    let asked =
                        asked.get_or_insert_with(|| Self { facts, traces: BTreeSet::new(), columns: BTreeSet::new() });
                    asked.traces.extend(traces);
                    asked.columns.extend(columns);
                    scans += 1;
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(asked.filter(|_| scans > 1))
    }

    /// Whether `scan` reads these facts, of some of these traces.
    fn has(&self, scan: &TableScan) -> bool {
        source_as_provider(&scan.source).is_ok_and(|facts| Arc::ptr_eq(&facts, &self.facts))
            && lookup::traces_of(&scan.filters).is_some_and(|traces| traces.is_subset(&self.traces))
            && scan.projection.iter().flatten().all(|column| self.columns.contains(column))
    }

    /// The rows of these traces; `None` where they are too many to hold.
    async fn rows(&self, session: &SessionState) -> Result<Option<MemTable>> {
        let columns: Vec<usize> = self.columns.iter().copied().collect();
        let plan =
            LogicalPlanBuilder::scan("facts", provider_as_source(Arc::clone(&self.facts)), Some(columns.clone()))?
                .filter(listed("trace_id", &self.traces))?
                .limit(0, Some(MOST_ROWS + 1))?
                .build()?;
        let batches = DataFrame::new(session.clone(), plan).collect().await?;
        if batches.iter().map(|batch| batch.num_rows()).sum::<usize>() > MOST_ROWS {
            return Ok(None);
        }
        let batches = batches.into_iter().map(compact).collect();
        MemTable::try_new(Arc::new(self.facts.schema().project(&columns)?), vec![batches]).map(Some)
    }

    /// `plan`, reading `rows`. What its scans are asked for beyond traces is filtered above them.
    fn of_rows(&self, plan: LogicalPlan, rows: MemTable) -> Result<LogicalPlan> {
        let rows = provider_as_source(Arc::new(rows));
        let plan = plan.transform_up_with_subqueries(|node| match &node {
            LogicalPlan::TableScan(scan) if self.has(scan) => {
                let place = |column: &usize| self.columns.range(..column).count();
                let columns = scan.projection.iter().flatten().map(place).collect();
                let scan = LogicalPlanBuilder::scan(scan.table_name.clone(), Arc::clone(&rows), Some(columns))?;
                Ok(Transformed::yes(scan.build()?))
            }
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(plan.data)
    }
}
