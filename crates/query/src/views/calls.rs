//! Views of model calls.

use tracewell_model::schema::CALLS;

use super::View;

const IS_RECORD: (&str, &str) = ("is_record", "Whether it is a log record.");

/// How people or rules decided on a call of a tool.
pub(super) const DECISION: [(&str, &str); 2] = [
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

pub(super) const SPAN_RECORDS: View = View {
    name: "span_records",
    doc: "One row is one span, or one log record that stands for a model call or a tool execution as a span would.",
    sql: include_str!("../../../../queries/views/span_records.sql"),
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
};

pub(super) const CALL_SPANS: View = View {
    name: super::CALL_SPANS,
    doc: "One row is one span, or log record that stands for one, that has a part in a model call: the call itself, a duplicate of it, or a wrapper around calls.",
    sql: include_str!("../../../../queries/views/call_spans.sql"),
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
};

pub(super) const MERGED_CALLS: View = View {
    name: "merged_calls",
    doc: "One row is one model call that several spans or log records tell of, merged.",
    sql: include_str!("../../../../queries/views/merged_calls.sql"),
    columns: MERGED,
    uses: &["span_records", "call_spans"],
    derived: None,
    reach: None,
};

pub(super) const LLM_CALLS: View = View {
    name: "llm_calls",
    doc: "One row is one real model call, its duplicates merged.",
    sql: include_str!("../../../../queries/views/llm_calls.sql"),
    columns: MERGED,
    uses: &["span_records", "call_spans", "merged_calls"],
    derived: Some(&CALLS),
    reach: None,
};

pub(super) const SPAN_COSTS: View = View {
    name: "span_costs",
    doc: "One row is one model call with what it costs, by the prices in force at its time.",
    sql: include_str!("../../../../queries/views/span_costs.sql"),
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
        (
            "count_reading",
            "How the token counts were read where that was a choice, and whether fees for what is not counted are left out.",
        ),
    ],
    uses: &["llm_calls"],
    derived: None,
    reach: None,
};
