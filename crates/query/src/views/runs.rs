//! Views of runs, and of what runs have in common.

use tracewell_model::schema;

use super::View;

/// What a group of calls costs.
const COSTS: [(&str, &str); 3] = [
    ("cost_usd", "What its model calls cost in US dollars, as far as they have a price; exact."),
    ("unpriced_calls", "Model calls without a price in US dollars, which `cost_usd` leaves out."),
    ("reported_cost_usd", "The sum of the costs that the application reports itself."),
];

pub(super) const TRACE_PARTS: View = View {
    name: "trace_parts",
    doc: "One row is one trace and date: what its spans of that date tell of the run, and the model calls among them.",
    sql: include_str!("../../../../queries/views/trace_parts.sql"),
    columns: &[],
    uses: &["span_records", "call_spans", "merged_calls", "llm_calls", "tool_executions"],
    derived: Some(&schema::TRACES),
    reach: None,
};

pub(super) const RUN_FACTS: View = View {
    name: crate::unasked::RUN_FACTS,
    doc: "One row is one trace: the facts that hold for the whole run.",
    sql: include_str!("../../../../queries/views/run_facts.sql"),
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
};

pub(super) const TRACES: View = View {
    name: "traces",
    doc: "One row is one trace with its root, its calls and its tokens.",
    sql: include_str!("../../../../queries/views/traces.sql"),
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
};

pub(super) const RUNS: View = View {
    name: "runs",
    doc: "One row is one run: a trace that is more than a second account of calls in other traces.",
    sql: include_str!("../../../../queries/views/runs.sql"),
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
};

pub(super) const SESSIONS: View = View {
    name: "sessions",
    doc: "One row is one session: all runs and calls of one conversation.",
    sql: include_str!("../../../../queries/views/sessions.sql"),
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
};

pub(super) const PROMPT_USAGE: View = View {
    name: "prompt_usage",
    doc: "One row is one version of a prompt as traffic shows it, in one service and environment.",
    sql: include_str!("../../../../queries/views/prompt_usage.sql"),
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
};
