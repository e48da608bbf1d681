//! The views: SQL over the tables, planned when a query mentions them.
//!
//! What one row of a view is and which rule makes it so stands at the head of its file in `queries/views`.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use tracewell_model::schema::{CALLS, RELEASES, SCORES, SPANS, TRACES, Table};

use crate::compact::compact;
use crate::prepared::{self, Over, nullable};
use crate::unasked::RUN_FACTS;

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

const IS_RECORD: (&str, &str) = ("is_record", "Whether it is a log record.");

const DECISION: [(&str, &str); 2] = [
    ("decision", "How it was decided on: accept, reject, auto_accept, modify, … as sent."),
    ("decision_source", "Who or what decided, as sent."),
];

const MERGED: &[(&str, &str)] = &[
    ("trace_id", "Trace id; NULL where only a log record without a trace tells of the call."),
    ("span_id", "The span, or the id of the log record, that stands for the call."),
    ("duplicate_spans", "How many other spans and log records were merged in."),
    ("duplicates", "Which spans and log records were merged in."),
    (
        "reported_subtree_usage",
        "What the nearest span of the same kind around it reported for all calls within; not to be added up.",
    ),
    (
        "conversation_id",
        "Session, thread or conversation: of the call, else of the nearest span above, the root, or the whole trace.",
    ),
    ("user_id", "End user, found likewise."),
    ("prompt_name", "Prompt name, found likewise."),
    ("prompt_version", "Prompt version, found likewise."),
    ("prompt_label", "Prompt label, found likewise."),
    ("team", "The team or tenant that the application claims, found likewise."),
    ("agent_name", "Agent of the call or of the nearest span above."),
    ("workflow_name", "Workflow, found as the conversation is."),
    ("workflow_version", "Workflow version, found likewise."),
];

/// What a group of calls costs.
const COSTS: [(&str, &str); 3] = [
    ("cost_usd", "What its model calls cost in US dollars, as far as they have a price; exact."),
    ("unpriced_calls", "Model calls without a price in US dollars, which `cost_usd` leaves out."),
    ("reported_cost_usd", "The sum of the costs that the application reports itself."),
];

const TOOL: [(&str, &str); 7] = [
    DECISION[0],
    DECISION[1],
    ("trace_id", "Trace id; NULL where only a log record without a trace tells of it."),
    ("span_id", "The span, or the id of the log record, that stands for it."),
    ("input_hash", "Hash of the arguments in `contents`."),
    ("output_hash", "Hash of the result in `contents`."),
    ("duplicate_spans", "How many other spans and log records of the execution were merged in."),
];

/// What rows have of the run that they are of.
const OF_RUN: [(&str, &str); 5] = [
    ("conversation_id", "Session, thread or conversation that the row names itself, else that of its run."),
    ("user_id", "End user, found likewise."),
    ("team", "The team or tenant that the application claims, found likewise."),
    ("workflow_name", "Workflow of the run."),
    ("workflow_version", "Its version."),
];

/// All views. A view stands behind those it uses.
pub const VIEWS: &[View] = &[
    View {
        name: "texts",
        doc: "One row is one text that was sent or received: a message, a payload of a tool, a document.",
        sql: include_str!("../../../queries/views/texts.sql"),
        columns: &[
            ("hash", "First 128 bits of the BLAKE3 hash of the exact bytes, as 32 hexadecimal digits."),
            ("content", "The bytes, exactly as sent."),
        ],
        uses: &[],
        derived: None,
        reach: None,
    },
    View {
        name: "span_records",
        doc: "One row is one span, or one log record that stands for a model call or a tool execution as a span would.",
        sql: include_str!("../../../queries/views/span_records.sql"),
        columns: &[
            IS_RECORD,
            DECISION[0],
            DECISION[1],
            ("span_id", "Span id; of a record its `record_id`."),
            ("trace_id", "Trace id; of a record that names no trace its `record_id`."),
            ("parent_span_id", "The parent's span id; of a record the span that it was written within."),
        ],
        uses: &[],
        derived: None,
        reach: None,
    },
    View {
        name: CALL_SPANS,
        doc: "One row is one span, or log record that stands for one, that has a part in a model call: the call itself, a duplicate of it, or a wrapper around calls.",
        sql: include_str!("../../../queries/views/call_spans.sql"),
        columns: &[
            IS_RECORD,
            ("role", "call, duplicate or wrapper."),
            ("call_trace_id", "Trace of the span that stands for the call."),
            ("call_span_id", "The span that stands for the call."),
            ("rank", "From 1, in the order in which the spans of a call fill what the first lacks."),
            ("usage_rank", "From 1; the first counts the tokens."),
            ("call_rows", "How many rows of `span_records` tell of the call."),
            ("call_input_tokens", "Input tokens of the call."),
            ("call_output_tokens", "Output tokens of the call."),
            ("wrapper_span_id", "The nearest span of the same kind around it that is no call."),
            ("wrapper_input_tokens", "Input tokens it reports for all calls within."),
            ("wrapper_output_tokens", "Output tokens it reports for all calls within."),
        ],
        uses: &["span_records"],
        derived: None,
        reach: None,
    },
    View {
        name: "merged_calls",
        doc: "One row is one model call that several spans or log records tell of, merged.",
        sql: include_str!("../../../queries/views/merged_calls.sql"),
        columns: MERGED,
        uses: &["span_records", "call_spans"],
        derived: None,
        reach: None,
    },
    View {
        name: "llm_calls",
        doc: "One row is one real model call, its duplicates merged.",
        sql: include_str!("../../../queries/views/llm_calls.sql"),
        columns: MERGED,
        uses: &["span_records", "call_spans", "merged_calls"],
        derived: Some(&CALLS),
        reach: None,
    },
    View {
        name: "span_costs",
        doc: "One row is one model call with what it costs, by the prices in force at its time.",
        sql: include_str!("../../../queries/views/span_costs.sql"),
        columns: &[
            MERGED[0],
            MERGED[1],
            ("model", "The model that answered, else the one asked for."),
            ("cost_usd", "What it costs in US dollars, exactly; NULL where that is not known."),
            (
                "cost_parts",
                "What each kind of use costs, in `currency`; `input` and `output` are what no other part prices.",
            ),
            ("uncached_cost_usd", "What it would cost had nothing been read from or written to the provider's cache."),
            ("reported_cost_usd", "Cost that the application reports itself, in US dollars."),
            ("cost_difference_usd", "`cost_usd` minus `reported_cost_usd`."),
            ("unpriced_reason", "Why `cost_usd` is NULL."),
            ("currency", "Currency of the price, by its ISO 4217 code."),
            ("price_rule", "The rule of the catalogue that prices it."),
            ("price_source", "operator, litellm or catalogue: where the rule comes from."),
            ("catalogue", "The catalogue of the rule: its file, or its data set with the release."),
            ("catalogue_version", "Hash of what the catalogue says."),
            ("prices_version", "Version of all prices together that it was worked out by."),
            ("price_tier", "Service tier that the rule is for, and whether it is for batches."),
            ("price_context_over", "The rates are those of calls with more input tokens than this."),
            ("model_reading", "Which name of the model led to the rule, and how it was read."),
            ("count_reading", "How the token counts were read where that was a choice."),
        ],
        uses: &["llm_calls"],
        derived: None,
        reach: None,
    },
    View {
        name: "tool_executions",
        doc: "One row is one execution of a tool, without the texts of its arguments and its result.",
        sql: include_str!("../../../queries/views/tool_executions.sql"),
        columns: &[
            TOOL[0],
            TOOL[1],
            TOOL[2],
            TOOL[3],
            TOOL[4],
            TOOL[5],
            TOOL[6],
            ("input_date", "Under which date of `contents` the arguments are."),
            ("output_date", "Under which date of `contents` the result is."),
        ],
        uses: &["span_records"],
        derived: None,
        reach: Some(1),
    },
    View {
        name: "trace_parts",
        doc: "One row is one trace and date: what its spans of that date tell of the run, and the model calls among them.",
        sql: include_str!("../../../queries/views/trace_parts.sql"),
        columns: &[],
        uses: &["span_records", "call_spans", "merged_calls", "llm_calls", "tool_executions"],
        derived: Some(&TRACES),
        reach: None,
    },
    View {
        name: RUN_FACTS,
        doc: "One row is one trace: the facts that hold for the whole run.",
        sql: include_str!("../../../queries/views/run_facts.sql"),
        columns: &[
            (
                "run_conversation_id",
                "Session, thread or conversation that the root names, else the one that all spans agree on.",
            ),
            ("run_user_id", "End user, found likewise."),
            ("run_team", "The team or tenant that the application claims, found likewise."),
            ("run_workflow_name", "Workflow, found likewise."),
            ("run_workflow_version", "Its version, found likewise."),
            ("run_is_trial", "Whether it is a trial: one of its spans is marked with `tracewell.example.id`."),
        ],
        uses: &["trace_parts"],
        derived: None,
        reach: None,
    },
    View {
        name: "traces",
        doc: "One row is one trace with its root, its calls and its tokens.",
        sql: include_str!("../../../queries/views/traces.sql"),
        columns: &[
            ("root_name", "Name of the root span; NULL when it is missing."),
            ("root_kind", "Kind of the root span."),
            ("missing_root", "No root span has come."),
            ("date", "UTC day of the first span."),
            ("start_time", "Start of the first span."),
            ("end_time", "End of the last span."),
            ("duration_ns", "From the first start to the last end."),
            ("status", "Status of the root; `error` where it is missing and a span failed."),
            ("span_count", "Spans."),
            ("error_count", "Spans with status `error`."),
            ("call_count", "Model calls, duplicates left out."),
            ("calls_without_usage", "Model calls that report no tokens."),
            ("models", "The models that answered, else those asked for."),
            ("only_duplicates", "It holds nothing but duplicates of calls in other traces."),
            COSTS[0],
            COSTS[1],
            COSTS[2],
        ],
        uses: &["llm_calls", "span_costs", "trace_parts"],
        derived: None,
        reach: Some(7),
    },
    View {
        name: "evaluations",
        doc: "One row is one score, however often it was sent.",
        sql: include_str!("../../../queries/views/evaluations.sql"),
        columns: &[("superseded_at", "When the same judge judged the same anew; NULL for the last word.")],
        uses: &[],
        derived: None,
        reach: None,
    },
    View {
        name: "runs",
        doc: "One row is one run: a trace that is more than a second account of calls in other traces.",
        sql: include_str!("../../../queries/views/runs.sql"),
        columns: &[
            ("trace_id", "Trace id."),
            ("date", "UTC day of the first span."),
            ("start_time", "Start of the first span."),
            ("end_time", "End of the last span."),
            ("duration_ns", "From the first start to the last end."),
            ("missing_root", "No root span has come."),
            ("status", "Status of the root; `error` where it is missing and a span failed."),
            ("scores", "What was said of the run and its spans, the newest first."),
            COSTS[0],
            COSTS[1],
            COSTS[2],
        ],
        uses: &["llm_calls", "span_costs", "trace_parts", "traces", "evaluations"],
        derived: None,
        reach: None,
    },
    View {
        name: "sessions",
        doc: "One row is one session: all runs and calls of one conversation.",
        sql: include_str!("../../../queries/views/sessions.sql"),
        columns: &[
            ("conversation_id", "Session, thread or conversation."),
            ("start_time", "Start of the first run or call."),
            ("end_time", "End of the last run or call."),
            ("user_id", "End user; NULL where there are several."),
            ("service", "Service; NULL where there are several."),
            ("environment", "Deployment environment; NULL where there are several."),
            ("team", "Team; NULL where there are several."),
            ("run_count", "Runs."),
            ("failed_run_count", "Runs with status `error`."),
            ("call_count", "Model calls."),
            ("calls_without_usage", "Model calls that report no tokens."),
            ("models", "The models that answered, else those asked for."),
            ("input_preview", "What went into the first model call."),
            ("output_preview", "What came out of the last model call."),
            COSTS[0],
            COSTS[1],
            COSTS[2],
        ],
        uses: &["llm_calls", "span_costs", "trace_parts", "traces"],
        derived: None,
        reach: None,
    },
    View {
        name: "prompt_usage",
        doc: "One row is one version of a prompt as traffic shows it, in one service and environment.",
        sql: include_str!("../../../queries/views/prompt_usage.sql"),
        columns: &[
            ("prompt_name", "Prompt name; NULL where the application names none."),
            ("prompt_shape", "What groups calls without a prompt name: the text with dates, numbers and ids masked."),
            ("prompt_version", "Prompt version; NULL where the application tells none."),
            ("prompt_hash", "What tells versions apart where none is told: hash of the text."),
            ("labels", "The labels it was called under."),
            ("models", "The models that answered, else those asked for."),
            ("first_time", "Start of the first call."),
            ("last_time", "Start of the last call."),
            ("call_count", "Model calls."),
            ("call_count_last_day", "Model calls of the last 24 hours."),
            ("share", "Of all calls of the prompt, from 0 to 1."),
            ("share_last_day", "Of the calls of the prompt in the last 24 hours; NULL when there were none."),
            COSTS[0],
            COSTS[1],
            COSTS[2],
        ],
        uses: &["llm_calls", "span_costs"],
        derived: None,
        reach: None,
    },
    View {
        name: "tool_calls",
        doc: "One row is one execution of a tool, with its arguments and its result.",
        sql: include_str!("../../../queries/views/tool_calls.sql"),
        columns: &[
            TOOL[0],
            TOOL[1],
            TOOL[2],
            TOOL[3],
            TOOL[4],
            TOOL[5],
            TOOL[6],
            ("arguments", "The arguments as sent."),
            ("result", "The result as sent."),
            OF_RUN[0],
            OF_RUN[1],
            OF_RUN[2],
            OF_RUN[3],
            OF_RUN[4],
        ],
        uses: &["texts", "span_records", "tool_executions", "trace_parts", RUN_FACTS],
        derived: None,
        reach: Some(1),
    },
    View {
        name: "retrievals",
        doc: "One row is one document that a retrieval found or a reranking kept.",
        sql: include_str!("../../../queries/views/retrievals.sql"),
        columns: &[
            ("position", "From 1, in the order of the answer; NULL when nothing was found."),
            ("hash", "Hash of the document in `contents`."),
            ("document_id", "Id of the document, where it states one."),
            ("score", "Score of the document, where it states one."),
            ("text", "Text of the document, where it is an object of a known form."),
            ("content", "The document as sent."),
            OF_RUN[0],
            OF_RUN[1],
            OF_RUN[2],
            OF_RUN[3],
            OF_RUN[4],
        ],
        uses: &["texts", "trace_parts", RUN_FACTS],
        derived: None,
        reach: Some(1),
    },
    View {
        name: "messages",
        doc: "One row is one message that went into or came out of a model call, an agent or a step around them.",
        sql: include_str!("../../../queries/views/messages.sql"),
        columns: &[
            ("direction", "input, output or system."),
            ("position", "From 1 within span and direction."),
            ("role", "Role of the speaker, as sent."),
            ("hash", "Hash of the message in `contents`."),
            ("bytes", "Length in bytes."),
            ("source", "The attribute, event or body that held it."),
            ("form", "How it was cut out of there."),
            ("content", "The message as sent; NULL once it has expired."),
            (
                "conversation_id",
                "Session, thread or conversation of the span, else of its model call, else of the run.",
            ),
            ("user_id", "End user, found likewise."),
            ("team", "The team or tenant that the application claims, found likewise."),
            ("prompt_name", "Prompt name of the span, else of its model call."),
            ("prompt_version", "Its version, found likewise."),
        ],
        uses: &["texts", "llm_calls", "trace_parts", RUN_FACTS],
        derived: None,
        reach: Some(1),
    },
    View {
        name: "trials",
        doc: "One row is one trial: a candidate tried on an example of a dataset, once.",
        sql: include_str!("../../../queries/views/trials.sql"),
        columns: &[
            ("span_id", "The span that is marked; the spans below it are of the trial, too."),
            ("dataset", "`tracewell.dataset`: the dataset, with its version where the sender says it."),
            ("example", "`tracewell.example.id`: the example."),
            ("revision", "`tracewell.example.revision`: its revision; NULL where the sender does not say it."),
            ("candidate", "`tracewell.candidate`: what is tried."),
            ("replay", "`tracewell.replay.id`: the replay that it is of; NULL where it is of none."),
            ("repetition", "`tracewell.repetition`: which time, counted from 1."),
        ],
        uses: &[],
        derived: None,
        reach: None,
    },
    View {
        name: "live_releases",
        doc: "One row is one time in which a revision of a prompt or workflow was live in an environment.",
        sql: include_str!("../../../queries/views/live_releases.sql"),
        columns: &[
            ("live_from", "Since when it was live."),
            ("live_until", "Until when; NULL for what is live now."),
            ("author", "Who made it live."),
            ("why", "Why."),
            ("kind", "prompt or workflow."),
        ],
        uses: &[],
        derived: None,
        reach: None,
    },
    View {
        name: "span_releases",
        doc: "One row is one span beside a release that was live then: of the prompt that it names, or of the workflow of its run.",
        sql: include_str!("../../../queries/views/span_releases.sql"),
        columns: &[
            ("release_environment", "Environment of the release."),
            ("release_revision", "Revision of the prompt or workflow that was live; NULL where none was."),
            ("release_version", "The same as the application reports it."),
            ("live_from", "Since when it was live."),
            ("live_until", "Until when; NULL for what is live now."),
            ("agrees", "Whether the version is the one that was live; NULL where none is named."),
            ("release_kind", "prompt or workflow: whose release it is."),
            ("workflow_name", "Workflow of the run, where the release is one of a workflow."),
            ("workflow_version", "Its version as the application reports it."),
        ],
        uses: &["live_releases"],
        derived: None,
        reach: None,
    },
    View {
        name: "mapping_coverage",
        doc: "One row is one attribute key as one version of an instrumentation sends it, on spans or on log records of one event, and whether it is understood.",
        sql: include_str!("../../../queries/views/mapping_coverage.sql"),
        columns: &[
            ("event_name", "The event, where log records carry it, empty where they name none; NULL for spans."),
            ("key", "Attribute key; `body` for a log record's body that carries contents."),
            ("state", "mapped, kept or unreadable."),
            ("spans", "Spans, or log records, that carry it."),
            ("unreadable_spans", "Those on which it could not be read."),
            ("first_seen", "Start of the first of them."),
            ("last_seen", "Start of the last of them."),
        ],
        uses: &[],
        derived: None,
        reach: None,
    },
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
