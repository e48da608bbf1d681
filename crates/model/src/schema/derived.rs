//! The tables that are worked out from the facts, date by date, and can always be worked out again.

use super::ColumnType::{Bool, Date, Int64, SpanIds, SubtreeUsage, Text, TextList, Timestamp};
use super::{Column, SPANS, Table, column};

/// All derived tables, in the order in which they are settled.
pub const DERIVED_TABLES: &[&Table] = &[&CALLS, &TRACES];

/// The column of `spans` with that name: what a derived table takes over keeps its name, type and meaning.
const fn of_spans(name: &str) -> Column {
    let mut position = 0;
    while position < SPANS.columns.len() {
        if same(SPANS.columns[position].name.as_bytes(), name.as_bytes()) {
            return SPANS.columns[position];
        }
        position += 1;
    }
    panic!("`spans` has no such column")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut position = 0;
    while position < a.len() {
        if a[position] != b[position] {
            return false;
        }
        position += 1;
    }
    true
}

/// What tells trials from traffic, for calls and for runs.
const IS_TRIAL: &str =
    "A span of its trace is marked with `tracewell.example.id`: it is of a replay or a test harness, and no traffic.";

/// One row per real model call: what the view `llm_calls` shows, settled.
pub const CALLS: Table = Table {
    name: "calls",
    doc: "One row per real model call, its duplicates merged: the view `llm_calls`, settled date by date. Worked out from `spans` and `logs`.",
    sort: &["start_unix_nano", "trace_id", "span_id"],
    columns: &[
        of_spans("date"),
        of_spans("tenant"),
        column("trace_id", Text, "Its trace; NULL where only a log record without one tells of the call.")
            .dict()
            .bloom(),
        column(
            "span_id",
            Text,
            "The span that stands for the call; where only a log record tells of it, its `record_id`.",
        )
        .required(),
        of_spans("parent_span_id"),
        of_spans("name"),
        of_spans("span_kind"),
        of_spans("kind"),
        of_spans("dialect"),
        of_spans("scope_name"),
        of_spans("scope_version"),
        of_spans("start_time"),
        of_spans("end_time"),
        of_spans("start_unix_nano"),
        column(
            "duration_ns",
            Int64,
            "End minus start in nanoseconds; NULL where only a log record tells of the call and not how long it took.",
        ),
        of_spans("service"),
        of_spans("service_version"),
        of_spans("environment"),
        of_spans("release"),
        of_spans("status"),
        of_spans("status_message"),
        of_spans("error_type"),
        of_spans("error_class"),
        of_spans("operation"),
        of_spans("framework"),
        of_spans("provider"),
        of_spans("request_model"),
        of_spans("response_model"),
        of_spans("response_id"),
        of_spans("service_tier"),
        of_spans("conversation_id"),
        of_spans("user_id"),
        of_spans("team"),
        of_spans("agent_name"),
        of_spans("workflow_name"),
        of_spans("workflow_version"),
        of_spans("prompt_name"),
        of_spans("prompt_version"),
        of_spans("prompt_label"),
        of_spans("prompt_hash"),
        of_spans("prompt_shape"),
        of_spans("prompt_variables"),
        of_spans("temperature"),
        of_spans("top_p"),
        of_spans("max_tokens"),
        of_spans("seed"),
        of_spans("request_params"),
        of_spans("streaming"),
        of_spans("ttft_ns"),
        of_spans("finish_reasons"),
        of_spans("input_tokens"),
        of_spans("output_tokens"),
        of_spans("cache_read_tokens"),
        of_spans("cache_write_tokens"),
        of_spans("cache_write_5m_tokens"),
        of_spans("cache_write_1h_tokens"),
        of_spans("reasoning_tokens"),
        of_spans("audio_input_tokens"),
        of_spans("audio_output_tokens"),
        of_spans("image_input_tokens"),
        of_spans("usage_reported"),
        of_spans("usage_flags"),
        of_spans("input_semantics"),
        of_spans("reported_cost_usd"),
        of_spans("retrieval_query"),
        of_spans("tags"),
        of_spans("metadata"),
        of_spans("content_hash"),
        of_spans("routing_hash"),
        of_spans("policy_hash"),
        of_spans("input_preview"),
        of_spans("output_preview"),
        of_spans("input_refs"),
        of_spans("output_refs"),
        of_spans("system_ref"),
        of_spans("tools_ref"),
        of_spans("flags"),
        of_spans("received_at"),
        of_spans("seq"),
        of_spans("mapping_version"),
        column("duplicate_spans", Int64, "How many other spans were merged in.").required(),
        column("duplicates", SpanIds, "Which spans were merged in."),
        column(
            "reported_subtree_usage",
            SubtreeUsage,
            "What the nearest span of the same kind around it reported for all calls within; not to be added up.",
        ),
        column("is_trial", Bool, IS_TRIAL),
    ],
};

/// One row per trace and date.
pub const TRACES: Table = Table {
    name: "traces",
    doc: "One row per trace and date, as its spans of that date tell it; a trace that crosses midnight has a row for each of its dates, which the view `traces` puts together. Worked out from `spans` and `logs`.",
    sort: &["trace_id", "start_unix_nano"],
    columns: &[
        column("date", Date, "UTC day of the spans.").required(),
        of_spans("tenant"),
        of_spans("trace_id"),
        column("start_time", Timestamp, "Start of the first span.").required().stats(),
        column("end_time", Timestamp, "End of the last span.").required().stats(),
        column("start_unix_nano", Int64, "Start of the first span in nanoseconds since 1970.").required(),
        column("end_unix_nano", Int64, "End of the last span in nanoseconds since 1970.").required(),
        column("has_root", Bool, "A root span is among them.").required(),
        column("root_name", Text, "Name of the root span.").dict(),
        column("root_kind", Text, "Kind of the root span.").dict(),
        column("root_status", Text, "Status of the root span.").dict(),
        column("service", Text, "`service.name` of the root, else of all spans where they agree.").dict().stats(),
        column("environment", Text, "Deployment environment, found likewise.").dict(),
        column("release", Text, "Release, found likewise.").dict(),
        column("conversation_id", Text, "Session, thread or conversation, found likewise.").dict().bloom(),
        column("user_id", Text, "End user, found likewise.").dict().bloom(),
        column("team", Text, "The team that the application claims, found likewise.").dict(),
        column("workflow_name", Text, "Workflow, found likewise.").dict(),
        column("workflow_version", Text, "Its version, found likewise.").dict(),
        column("of_root", TextList, "Those of these facts that the root tells.").dict(),
        column("disputed", TextList, "Those of these facts on which the spans disagree while no root decides.").dict(),
        column("span_count", Int64, "Spans.").required(),
        column("error_count", Int64, "Spans with status `error`.").required(),
        column("call_count", Int64, "Model calls, duplicates left out.").required(),
        column("calls_without_usage", Int64, "Model calls that report no tokens.").required(),
        column("duplicate_count", Int64, "Spans that repeat a call of another trace.").required(),
        column("input_tokens", Int64, "Input tokens of its calls."),
        column("output_tokens", Int64, "Output tokens of its calls."),
        column("cache_read_tokens", Int64, "Part of the input that was read from a cache."),
        column("cache_write_tokens", Int64, "Part of the input that was written to a cache."),
        column("reasoning_tokens", Int64, "Part of the output spent on reasoning."),
        column("models", TextList, "The models that answered, else those asked for.").dict(),
        column("prompts", TextList, "The prompts of its calls, as `name@version`.").dict(),
        column("retrieval_count", Int64, "Retrievals."),
        column("tool_count", Int64, "Executions of tools, duplicates left out."),
        column("tool_error_count", Int64, "Those with status `error`."),
        column("tools", TextList, "The tools that were executed.").dict(),
        column("input_preview", Text, "What went into the root, else into the first model call."),
        column("output_preview", Text, "What came out of the root, else out of the last model call."),
        column("is_trial", Bool, IS_TRIAL),
    ],
};
