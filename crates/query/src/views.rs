//! The views: SQL over the tables, planned when a query mentions them.
//!
//! What one row of a view is and which rule makes it so stands at the head of its file in `queries/views`.

mod calls;
mod contents;
mod judged;
pub(crate) mod prepared;
mod runs;

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use tracewell_model::schema::{RELEASES, SCORES, SPANS, TRACES, Table};

use self::prepared::{Over, nullable};
use crate::plans::compact::compact;

/// One view.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Its name in SQL.
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// Its definition.
    pub sql: &'static str,
    /// Its own columns and what they mean; the others are those of `spans`.
    pub columns: &'static [(&'static str, &'static str)],
    /// Other views it reads; they stand before it in [`VIEWS`].
    pub(crate) uses: &'static [&'static str],
    /// The table that holds its rows of settled dates.
    pub(crate) derived: Option<&'static Table>,
    /// Where its rows have a date and are put together from several: how many days apart those are at most.
    pub(crate) reach: Option<i32>,
}

impl View {
    /// What a column means.
    #[must_use]
    pub fn column_doc(&self, name: &str) -> Option<&'static str> {
        let own = self.columns.iter().find(|(column, _)| *column == name).map(|(_, doc)| *doc);
        let derived = self.derived.into_iter().flat_map(|table| table.columns);
        let tables = derived.chain(SPANS.columns).chain(TRACES.columns).chain(SCORES.columns).chain(RELEASES.columns);
        own.or_else(|| tables.into_iter().find(|column| column.name == name).map(|column| column.doc))
    }
}

/// All views. A view stands behind those it uses.
pub const VIEWS: &[View] = &[
    contents::TEXTS,
    calls::SPAN_RECORDS,
    calls::CALL_SPANS,
    calls::MERGED_CALLS,
    calls::LLM_CALLS,
    calls::SPAN_COSTS,
    contents::TOOL_EXECUTIONS,
    runs::TRACE_PARTS,
    runs::RUN_FACTS,
    runs::TRACES,
    judged::EVALUATIONS,
    runs::RUNS,
    runs::SESSIONS,
    runs::PROMPT_USAGE,
    contents::TOOL_CALLS,
    contents::RETRIEVALS,
    contents::MESSAGES,
    judged::TRIALS,
    judged::LIVE_RELEASES,
    judged::SPAN_RELEASES,
    judged::MAPPING_COVERAGE,
];

/// The view that says which spans are one call.
pub(crate) const CALL_SPANS: &str = "call_spans";

/// The view that asks what calls cost.
pub(crate) const PRICED: &str = "span_costs";

/// Makes the views that `sql` mentions known to `context`, and those that they use. Lists of all tables get all of
/// them if `lists`. `derived` gives the table behind a view that is settled by date, `dated` one for a view with these
/// columns that reads only what lies so many days from the dates asked for.
///
/// # Errors
/// When a view cannot be planned.
pub(crate) async fn register(
    context: &SessionContext,
    sql: &str,
    lists: bool,
    derived: impl Fn(&'static Table) -> Arc<dyn TableProvider>,
    dated: impl Fn(&'static View, i32, &Schema) -> Arc<dyn TableProvider>,
) -> Result<()> {
    for view in mentioned(sql, lists) {
        let table = match (view.derived, view.reach) {
            (Some(table), _) => derived(table),
            (None, Some(reach)) => dated(view, reach, prepared::columns(view).await?.as_ref()),
            (None, None) => planned(context, view, Over::Providers).await?,
        };
        context.register_table(view.name, table)?;
    }
    Ok(())
}

/// The plan of `view` over derived tables and facts; those tables among what it uses become known to `context` as
/// `derived` gives them.
///
/// # Errors
/// When it cannot be planned.
pub(crate) async fn plain(
    context: &SessionContext,
    view: &View,
    derived: impl Fn(&'static Table) -> Result<Arc<dyn TableProvider>>,
) -> Result<LogicalPlan> {
    for used in VIEWS.iter().filter(|other| view.uses.contains(&other.name)) {
        if let Some(table) = used.derived {
            context.register_table(used.name, derived(table)?)?;
        }
    }
    named(prepared::plan(context, view, Over::Derived).await?, view)
}

/// The plan of the view behind the derived `table`, over the facts alone. Which spans are one call is worked out at
/// once: several views ask it, and few rows say it.
///
/// # Errors
/// When it cannot be planned, or the facts cannot be read.
pub(crate) async fn source(context: &SessionContext, table: &Table) -> Result<LogicalPlan> {
    let behind = |view: &&View| view.derived.is_some_and(|derived| derived.name == table.name);
    register_facts(context, CALL_SPANS).await?;
    let rows = context.table(CALL_SPANS).await?.execute_stream().await?;
    let columns = nullable(&rows.schema());
    let rows = rows.map_ok(compact).try_collect().await?;
    context.deregister_table(CALL_SPANS)?;
    context.register_table(CALL_SPANS, Arc::new(MemTable::try_new(columns, vec![rows])?))?;
    match VIEWS.iter().find(behind) {
        Some(view) => named(prepared::plan(context, view, Over::Facts).await?, view),
        None => plan_err!("no view stands behind the table `{}`", table.name),
    }
}

/// Makes the view `name` known to `context`, over the facts alone.
///
/// # Errors
/// When it cannot be planned.
pub(crate) async fn register_facts(context: &SessionContext, name: &str) -> Result<()> {
    for view in VIEWS.iter().filter(|view| view.name == name) {
        context.register_table(view.name, planned(context, view, Over::Facts).await?)?;
    }
    Ok(())
}

/// The views that decide what the derived tables hold.
pub(crate) fn behind_derived() -> impl Iterator<Item = &'static View> {
    let derived = || VIEWS.iter().filter(|view| view.derived.is_some());
    VIEWS.iter().filter(move |view| derived().any(|other| other.name == view.name || other.uses.contains(&view.name)))
}

fn named(plan: LogicalPlan, view: &View) -> Result<LogicalPlan> {
    LogicalPlanBuilder::from(plan).alias(view.name)?.build()
}

async fn planned(context: &SessionContext, view: &View, over: Over) -> Result<Arc<dyn TableProvider>> {
    let plan = prepared::plan(context, view, over).await?;
    Ok(Arc::new(ViewTable::new(plan, Some(view.sql.to_owned()))))
}

/// Whether `sql` may read `table`, by its name or through a view.
pub(crate) fn may_read(sql: &str, table: &Table) -> bool {
    let views = mentioned(sql, false);
    sql.to_ascii_lowercase().contains(table.name) || views.iter().any(|view| view.sql.contains(table.name))
}

/// Whether `sql` may ask what calls cost.
pub(crate) fn may_price(sql: &str) -> bool {
    mentioned(sql, false).iter().any(|view| view.name == PRICED)
}

/// Whether `sql` may ask which tables and columns there are.
pub(crate) fn lists_all(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    lower.contains("information_schema") || ["show", "desc"].iter().any(|word| lower.trim_start().starts_with(word))
}

/// The views that `sql` may need, in an order in which they can be planned.
fn mentioned(sql: &str, lists: bool) -> Vec<&'static View> {
    let lower = sql.to_ascii_lowercase();
    let lists_all = lists && lists_all(sql);
    let mut wanted: Vec<&str> = Vec::new();
    for view in VIEWS.iter().rev() {
        if lists_all || wanted.contains(&view.name) || lower.contains(view.name) {
            wanted.push(view.name);
            // A derived table needs no other view, until it is read.
            if view.derived.is_none() {
                wanted.extend(view.uses);
            }
        }
    }
    VIEWS.iter().filter(|view| wanted.contains(&view.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_views_that_are_mentioned_are_planned_and_those_they_use_come_first() {
        let names = |sql| mentioned(sql, true).iter().map(|view| view.name).collect::<Vec<_>>();
        assert_eq!(names("SELECT 1"), [""; 0]);
        assert_eq!(names("SELECT * FROM LLM_Calls"), ["llm_calls"]);
        assert_eq!(names("SELECT * FROM merged_calls"), ["span_records", "call_spans", "merged_calls"]);
        assert_eq!(
            names("SELECT * FROM traces JOIN messages USING (trace_id)"),
            ["texts", "llm_calls", "span_costs", "trace_parts", "run_facts", "traces", "messages"]
        );
        assert_eq!(names(" SHOW TABLES").len(), VIEWS.len());
    }

    #[test]
    fn every_view_uses_only_views_before_it_and_says_what_a_row_is() {
        for (position, view) in VIEWS.iter().enumerate() {
            assert!(view.sql.starts_with("-- One row is one "), "{}", view.name);
            for other in &VIEWS[position..] {
                assert!(!view.sql.contains(&format!("FROM {}\n", other.name)), "{} uses {}", view.name, other.name);
                assert!(!view.uses.contains(&other.name));
            }
        }
    }
}
