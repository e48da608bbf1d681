//! The published schema of the tables: every column with its type and meaning.
//!
//! The tables are the product: this module is the contract that writers, views, the documentation page and
//! the tests are held against. Adding a column is a minor change, anything else a major one.

mod derived;
mod kept;
mod prices;

pub use derived::{CALLS, DERIVED_TABLES, TRACES};
pub use kept::{ALERTS, EXAMPLES, KEPT_TABLES, PROMPTS, RELEASES, REPORTS, REVIEWS, VERDICTS};
pub use prices::PRICES;

/// `major.minor` of the published schema.
pub const SCHEMA_VERSION: &str = "0.6";

/// The type of a column, as SQL and Delta Lake see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// 64-bit signed integer.
    Int64,
    /// 32-bit signed integer.
    Int32,
    /// IEEE double.
    Double,
    /// true or false.
    Bool,
    /// Microseconds since 1970-01-01 UTC.
    Timestamp,
    /// A UTC calendar day.
    Date,
    /// `Map<text, text>`.
    Map,
    /// `List<text>`.
    TextList,
    /// `List<Struct{hash, role, bytes, source, form}>`: ordered references into `contents`.
    Refs,
    /// `Struct{hash, role, bytes, source, form}`: one reference into `contents`.
    Ref,
    /// `List<Struct{time_unix_nano, name, attributes, dropped_attributes}>`.
    Events,
    /// `List<Struct{trace_id, span_id, trace_state, attributes, dropped_attributes}>`.
    Links,
    /// `List<Struct{trace_id, span_id}>`.
    SpanIds,
    /// `Struct{span_id, input_tokens, output_tokens}`.
    SubtreeUsage,
}

impl ColumnType {
    /// The type as the schema page shows it.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int64 => "bigint",
            Self::Int32 => "integer",
            Self::Double => "double",
            Self::Bool => "boolean",
            Self::Timestamp => "timestamp (µs, UTC)",
            Self::Date => "date",
            Self::Map => "map<text, text>",
            Self::TextList => "list<text>",
            Self::Refs => "list<struct<hash, role, bytes, source, form>>",
            Self::Ref => "struct<hash, role, bytes, source, form>",
            Self::Events => "list<struct<time_unix_nano, name, attributes, dropped_attributes>>",
            Self::Links => "list<struct<trace_id, span_id, trace_state, attributes, dropped_attributes>>",
            Self::SpanIds => "list<struct<trace_id, span_id>>",
            Self::SubtreeUsage => "struct<span_id, input_tokens, output_tokens>",
        }
    }
}

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in SQL and in the Parquet files.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
    /// Whether it may be NULL, which always means "not known" or "not sent".
    pub nullable: bool,
    /// Whether the Delta log carries its minimum and maximum. Never for columns with people's data, where
    /// they would outlive an erasure.
    pub statistics: bool,
    /// Few distinct values a file: dictionary encoding pays.
    pub dictionary: bool,
    /// Looked up by equality: a bloom filter pays.
    pub bloom: bool,
    /// Digits without a pattern: more effort does not make them smaller.
    pub random: bool,
    /// What it means, with its unit.
    pub doc: &'static str,
}

/// One table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in SQL, and its folder.
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// Its columns in order. The first of a Delta table is `date`, the partition.
    pub columns: &'static [Column],
    /// The columns each file is sorted by, ascending.
    pub sort: &'static [&'static str],
}

impl Table {
    /// The position of the column `name`.
    ///
    /// # Panics
    /// When there is none: names of columns are constants of the code.
    #[must_use]
    pub fn index(&self, name: &str) -> usize {
        self.columns
            .iter()
            .position(|column| column.name == name)
            .unwrap_or_else(|| panic!("table `{}` has no column `{name}`", self.name))
    }
}

const fn column(name: &'static str, kind: ColumnType, doc: &'static str) -> Column {
    Column { name, kind, nullable: true, statistics: false, dictionary: false, bloom: false, random: false, doc }
}

impl Column {
    const fn required(mut self) -> Self {
        self.nullable = false;
        self
    }
    const fn stats(mut self) -> Self {
        self.statistics = true;
        self
    }
    const fn dict(mut self) -> Self {
        self.dictionary = true;
        self
    }
    const fn bloom(mut self) -> Self {
        self.bloom = true;
        self
    }
    const fn random(mut self) -> Self {
        self.random = true;
        self
    }
}

use ColumnType::{Bool, Date, Double, Events, Int32, Int64, Links, Map, Ref, Refs, Text, TextList, Timestamp};

/// All tables that ingest feeds, in the order in which one seal commits them: `spans` last, because its
/// transaction alone frees the write-ahead log.
pub const FACT_TABLES: &[&Table] = &[&CONTENTS, &LOGS, &SCORES, &SPANS];

/// The tables of traffic: what came in, and what is worked out from it. Maintenance tends them.
pub const TABLES: &[&Table] = &[&CONTENTS, &LOGS, &SCORES, &SPANS, &CALLS, &TRACES];

/// The tables that can be asked by their own names, the ones asked most first. Derived tables stand behind views.
pub fn asked_tables() -> impl Iterator<Item = &'static Table> {
    FACT_TABLES.iter().rev().chain(KEPT_TABLES).chain(&[&PRICES]).copied()
}

/// Every table of a lake.
#[must_use]
pub fn every_table() -> Vec<&'static Table> {
    TABLES.iter().chain(KEPT_TABLES).copied().collect()
}

/// One row per span, as received.
pub const SPANS: Table = Table {
    name: "spans",
    doc: "One row per span, as received. Facts that need the whole run (duplicates, late facts) are never written here.",
    sort: &["start_unix_nano", "trace_id", "span_id"],
    columns: &[
        column("date", Date, "UTC day of the span's start; of its arrival where the start is not believed (flag `time_not_believed`).").required(),
        column("trace_id", Text, "32 lowercase hexadecimal digits.").required().dict().bloom().random(),
        column("span_id", Text, "16 lowercase hexadecimal digits.").required().random(),
        column("parent_span_id", Text, "The parent's span id; NULL at a root.").random(),
        column("trace_state", Text, "W3C tracestate as sent.").dict(),
        column("trace_flags", Int64, "OTLP `flags` as sent.").dict(),
        column("name", Text, "The span's name.").required().dict(),
        column("span_kind", Text, "OpenTelemetry span kind: internal, server, client, producer, consumer; NULL when unspecified.").dict(),
        column("kind", Text, "What the span stands for: chat, completion, embedding, agent, workflow, chain, tool, retrieval, rerank, guardrail, evaluator, prompt, human, mcp, http, other.").required().dict().stats(),
        column("dialect", Text, "The vocabulary the span was written in; `plain` when it has nothing of a language model.").required().dict(),
        column("scope_name", Text, "Instrumentation scope.").dict(),
        column("scope_version", Text, "Version of the instrumentation scope.").dict(),
        column("scope_attributes", Map, "Attributes of the instrumentation scope.").dict(),
        column("schema_url", Text, "Schema URL of the scope, else of the resource.").dict(),
        column("service", Text, "`service.name`.").dict().stats(),
        column("service_version", Text, "`service.version`.").dict(),
        column("environment", Text, "Deployment environment.").dict(),
        column("release", Text, "The application's release, where it is told apart from the service's version.").dict(),
        column("tenant", Text, "The tenant of the credential; `default` without credentials.").required().dict(),
        column("team", Text, "The team or tenant that the application claims.").dict(),
        column("start_time", Timestamp, "Start, to the microsecond.").required().stats(),
        column("end_time", Timestamp, "End, to the microsecond.").required().stats(),
        column("start_unix_nano", Int64, "Start as sent, in nanoseconds since 1970.").required(),
        column("duration_ns", Int64, "End minus start in nanoseconds; negative where the sender's end lies before its start (flag `end_before_start`).").required(),
        column("status", Text, "ok, error, or NULL when unset.").dict(),
        column("status_message", Text, "Status description as sent.").dict(),
        column("error_type", Text, "Error type as sent: class name, API code, or exception type.").dict(),
        column("error_class", Text, "rate_limit, timeout, server, auth, bad_request, content_filter, cancelled, tool, parse, other.").dict(),
        column("operation", Text, "`gen_ai.operation.name` as sent, else the kind of an LLM span.").dict(),
        column("framework", Text, "Agent framework, where one is known.").dict(),
        column("provider", Text, "Model provider by its OpenTelemetry name.").dict(),
        column("request_model", Text, "The model asked for.").dict(),
        column("response_model", Text, "The model that answered.").dict(),
        column("response_id", Text, "The provider's id of the response.").random(),
        column("service_tier", Text, "Service tier of the response, else of the request.").dict(),
        column("agent_name", Text, "Agent.").dict(),
        column("workflow_name", Text, "Workflow.").dict(),
        column("workflow_version", Text, "Workflow version.").dict(),
        column("prompt_name", Text, "Prompt name, where the application reports it.").dict(),
        column("prompt_version", Text, "Prompt version, where the application reports it.").dict(),
        column("prompt_label", Text, "Prompt label, where the application reports it.").dict(),
        column("prompt_hash", Text, "Hash of the template when it is sent, else of the instructions.").dict(),
        column("prompt_shape", Text, "Hash of the instructions with dates, numbers and ids masked: groups unnamed prompts whose text varies per call.").dict(),
        column("prompt_variables", Map, "Variables the prompt was filled with."),
        column("conversation_id", Text, "Session, thread or conversation that the span names itself.").dict().bloom(),
        column("user_id", Text, "End user that the span names itself.").dict().bloom(),
        column("temperature", Double, "Sampling temperature asked for.").dict(),
        column("top_p", Double, "Nucleus sampling asked for.").dict(),
        column("max_tokens", Int64, "Output limit asked for.").dict(),
        column("seed", Int64, "Seed asked for.").dict(),
        column("request_params", Map, "Further request parameters by canonical name (top_k, stop, tool_choice, response_format, reasoning_effort, n, …).").dict(),
        column("streaming", Bool, "Whether the response was streamed; NULL when nothing tells."),
        column("ttft_ns", Int64, "Time to the first token or chunk, in nanoseconds."),
        column("finish_reasons", TextList, "One per choice, normalised: stop, length, tool_calls, content_filter, error, or as sent.").dict(),
        column("input_tokens", Int64, "Input tokens, always including cache reads and writes."),
        column("output_tokens", Int64, "Output tokens, always including reasoning."),
        column("cache_read_tokens", Int64, "Of the input: read from the provider's cache."),
        column("cache_write_tokens", Int64, "Of the input: written to the provider's cache."),
        column("cache_write_5m_tokens", Int64, "Of the cache writes: kept five minutes."),
        column("cache_write_1h_tokens", Int64, "Of the cache writes: kept one hour."),
        column("reasoning_tokens", Int64, "Of the output: reasoning."),
        column("audio_input_tokens", Int64, "Of the input: audio."),
        column("audio_output_tokens", Int64, "Of the output: audio."),
        column("image_input_tokens", Int64, "Of the input: images."),
        column("usage_reported", Map, "Every token count as the span reported it, by attribute key.").dict(),
        column("usage_flags", TextList, "Contradictions in the reported usage, such as parts_exceed_whole, and counts left out: implausible_count, negative_count, not_a_count.").dict(),
        column("input_semantics", Text, "How the reported input count was read: inclusive or exclusive of cached tokens, or unknown.").dict(),
        column("reported_cost_usd", Text, "Cost that the application reports itself, in US dollars, as an exact decimal text.").dict(),
        column("tool_name", Text, "Tool.").dict(),
        column("tool_call_id", Text, "The model's id of the tool call.").random(),
        column("tool_type", Text, "function, extension, datastore, mcp, … as sent.").dict(),
        column("retrieval_query", Text, "What a retrieval searched for."),
        column("tags", TextList, "Tags.").dict(),
        column("metadata", Map, "User metadata of the dialect, keys without their prefix."),
        column("content_hash", Text, "Fingerprint of what the call was told: instructions and template.").dict(),
        column("routing_hash", Text, "Fingerprint of where the call went: provider, model, parameters.").dict(),
        column("policy_hash", Text, "Fingerprint of what bound the call: tools, guardrails, response format.").dict(),
        column("input_preview", Text, "First characters of the last input message."),
        column("output_preview", Text, "First characters of the output."),
        column("input_refs", Refs, "Input messages, tool arguments or other input, in order, as references into `contents`."),
        column("output_refs", Refs, "Output messages, tool result, documents or other output, in order, as references into `contents`."),
        column("system_ref", Ref, "System instructions, as a reference into `contents`."),
        column("tools_ref", Ref, "Tool definitions, as a reference into `contents`."),
        column("payload_refs", Refs, "Further large attributes, as references into `contents`; `source` names the attribute."),
        column("attributes", Map, "Every attribute as sent but those moved to `contents`; what was not a string is JSON text."),
        column("attribute_types", Map, "Type of each attribute that was not a string: int, double, bool, array, kvlist, bytes, empty."),
        column("resource_attributes", Map, "Attributes of the resource.").dict(),
        column("events", Events, "Span events as sent, but for contents moved away."),
        column("links", Links, "Span links as sent."),
        column("dropped_attributes", Int64, "Attributes that the SDK dropped.").dict(),
        column("dropped_events", Int64, "Events that the SDK dropped.").dict(),
        column("dropped_links", Int64, "Links that the SDK dropped.").dict(),
        column("flags", TextList, "What is odd about this row: end_before_start, time_not_believed, time_out_of_range, repeated_key, unknown_status, unknown_span_kind, truncated, unparsable, …; `trial` marks one of a replay or a test harness.").dict(),
        column("received_at", Timestamp, "When the collector received it.").required().stats().dict(),
        column("seq", Int64, "Position in the receiving shard's write-ahead log.").required().dict(),
        column("mapping_version", Int32, "By which rules the dialect was read.").required().dict(),
    ],
};

/// One row per log record.
pub const LOGS: Table = Table {
    name: "logs",
    doc: "One row per log record, as received: GenAI events and coding agents' records. Joined to spans by (trace_id, span_id). A record that stands for a model call or a tool execution has the columns of `spans` for it.",
    sort: &["time_unix_nano", "trace_id", "span_id"],
    columns: &[
        column("date", Date, "UTC day of the record's time; of its arrival where that is not believed.").required(),
        column("trace_id", Text, "The trace it belongs to, where it names one.").dict().bloom(),
        column("span_id", Text, "The span it belongs to, where it names one.").dict(),
        column("time", Timestamp, "Time of the event, else when it was observed.").required().stats(),
        column("time_unix_nano", Int64, "The same in nanoseconds since 1970.").required(),
        column("sent_unix_nano", Int64, "Time of the event as sent, believed or not; NULL where none was sent."),
        column("observed_unix_nano", Int64, "When it was observed, in nanoseconds since 1970, as sent."),
        column("position", Int64, "Its place in its request, from 0: records of one time are told in this order."),
        column("event_name", Text, "Event name, from the record or its `event.name` attribute.").dict().stats(),
        column("severity", Text, "Severity text, else the severity number.").dict(),
        column("severity_number", Int32, "Severity number as sent.").dict(),
        column("scope_name", Text, "Instrumentation scope.").dict(),
        column("scope_version", Text, "Version of the instrumentation scope.").dict(),
        column("scope_attributes", Map, "Attributes of the instrumentation scope.").dict(),
        column("schema_url", Text, "Schema URL of the scope, else of the resource.").dict(),
        column("service", Text, "`service.name`.").dict().stats(),
        column("environment", Text, "Deployment environment.").dict(),
        column("tenant", Text, "The tenant of the credential; `default` without credentials.").required().dict(),
        column("conversation_id", Text, "Session, thread or conversation that the record names.").dict().bloom(),
        column("user_id", Text, "End user that the record names.").dict(),
        column("request_id", Text, "Request or prompt id by which a record without a span finds its call."),
        column("prompt_id", Text, "The user's prompt that a coding agent's record belongs to."),
        column("record_id", Text, "Identity of a record that stands for a model call or a tool execution: a hash of its bytes as sent, equal when it is sent again. NULL for other records."),
        column("kind", Text, "What it stands for, as in `spans`: chat, tool, human, …; NULL for a record that stands for nothing of its own.").dict().stats(),
        column("dialect", Text, "The vocabulary it was written in; NULL when it has nothing of a language model.").dict(),
        column("operation", Text, "`gen_ai.operation.name` as sent, else the name of the event.").dict(),
        column("service_version", Text, "`service.version`, else the version of the agent.").dict(),
        column("team", Text, "The team, tenant or organization that the application claims.").dict(),
        column("agent_name", Text, "Agent.").dict(),
        column("provider", Text, "Model provider by its OpenTelemetry name.").dict(),
        column("request_model", Text, "The model asked for.").dict(),
        column("response_model", Text, "The model that answered.").dict(),
        column("response_id", Text, "The provider's id of the response; of Claude Code its request id, as on its spans."),
        column("duration_ns", Int64, "How long the call took, which ended at `time`; NULL when it does not say."),
        column("status", Text, "ok, error, or NULL when it does not say.").dict(),
        column("status_message", Text, "What went wrong, as sent."),
        column("error_type", Text, "Error type as sent.").dict(),
        column("error_class", Text, "rate_limit, timeout, server, auth, bad_request, content_filter, cancelled, tool, parse, other.").dict(),
        column("finish_reasons", TextList, "One per choice, normalised: stop, length, tool_calls, content_filter, error, or as sent.").dict(),
        column("input_tokens", Int64, "Input tokens, always including cache reads and writes."),
        column("output_tokens", Int64, "Output tokens, always including reasoning."),
        column("cache_read_tokens", Int64, "Of the input: read from the provider's cache."),
        column("cache_write_tokens", Int64, "Of the input: written to the provider's cache."),
        column("reasoning_tokens", Int64, "Of the output: reasoning."),
        column("usage_reported", Map, "Every token count as the record reported it, by attribute key.").dict(),
        column("usage_flags", TextList, "Contradictions in the reported usage, such as parts_exceed_whole, and counts left out: implausible_count, negative_count, not_a_count.").dict(),
        column("input_semantics", Text, "How the reported input count was read: inclusive or exclusive of cached tokens, or unknown.").dict(),
        column("reported_cost_usd", Text, "Cost that the application reports itself, in US dollars, as an exact decimal text.").dict(),
        column("tool_name", Text, "Tool.").dict(),
        column("tool_call_id", Text, "The model's id of the tool call."),
        column("tool_type", Text, "native, mcp, … as sent.").dict(),
        column("decision", Text, "How a tool call was decided on: accept, reject, auto_accept, modify, … as sent.").dict(),
        column("decision_source", Text, "Who or what decided: config, hook, user_permanent, user_reject, … as sent.").dict(),
        column("body", Text, "The body; JSON text when it was not a string, with contents moved away."),
        column("body_type", Text, "string, int, double, bool, array, kvlist, bytes; NULL when empty.").dict(),
        column("input_refs", Refs, "Input messages it carries, as references into `contents`."),
        column("output_refs", Refs, "Output messages it carries, as references into `contents`."),
        column("system_ref", Ref, "System instructions it carries."),
        column("tools_ref", Ref, "Tool definitions it carries."),
        column(
            "attributes",
            Map,
            "Every attribute as sent but those moved to `contents`; what was not a string is JSON text.",
        ),
        column("attribute_types", Map, "Type of each attribute that was not a string."),
        column("resource_attributes", Map, "Attributes of the resource.").dict(),
        column("dropped_attributes", Int64, "Attributes that the SDK dropped.").dict(),
        column("trace_flags", Int64, "OTLP `flags` as sent.").dict(),
        column("flags", TextList, "What is odd about this row.").dict(),
        column("received_at", Timestamp, "When the collector received it.").required().stats().dict(),
        column("seq", Int64, "Position in the receiving shard's write-ahead log.").required().dict(),
        column("mapping_version", Int32, "By which rules it was read.").required().dict(),
    ],
};

/// One row per distinct message or payload of a day.
pub const CONTENTS: Table = Table {
    name: "contents",
    doc: "One row per distinct message or payload of a tenant and day. Rows may repeat; (tenant, date, hash) names the same bytes always.",
    // By arrival, what resembles lies together. One content is found by the bloom filter of its hash.
    sort: &["received_at", "seq"],
    columns: &[
        column("date", Date, "UTC day of the span that carried it.").required(),
        column("hash", Text, "First 128 bits of the BLAKE3 hash of the exact bytes, as 32 hexadecimal digits.")
            .required()
            .bloom()
            .random(),
        column("tenant", Text, "The tenant of the credential.").required().dict(),
        column("role", Text, "system, user, assistant, tool, … where the carrier says it.").dict(),
        column("bytes", Int64, "Length in bytes.").required(),
        column("content", Text, "The bytes, exactly as sent.").required(),
        column("received_at", Timestamp, "When the collector received it, the last time that it was stored.")
            .required()
            .stats()
            .dict(),
        column("seq", Int64, "Position in the receiving shard's write-ahead log.").required().dict(),
    ],
};

/// One row per evaluation result, feedback, annotation or correction.
pub const SCORES: Table = Table {
    name: "scores",
    doc: "One row per evaluation result, feedback, annotation or correction. Append-only: a correction supersedes and keeps the old. Rows may repeat; the view `evaluations` counts them once.",
    sort: &["time_unix_nano", "trace_id", "span_id"],
    columns: &[
        column("date", Date, "UTC day of the score's time.").required(),
        column("time", Timestamp, "When it was given.").required().stats(),
        column("time_unix_nano", Int64, "The same in nanoseconds since 1970.").required(),
        column("tenant", Text, "The tenant of the credential.").required().dict(),
        column("target", Text, "What it scores: span, run, session or document.").required().dict(),
        column("trace_id", Text, "The run, or the run of the span.").dict().bloom(),
        column("span_id", Text, "The span.").bloom(),
        column("response_id", Text, "The provider's response id, where that is the only link."),
        column("session_id", Text, "The session.").dict(),
        column("document_id", Text, "The retrieved document."),
        column("name", Text, "What was judged, such as Relevance.").required().dict().stats(),
        column(
            "data_type",
            Text,
            "numeric, boolean, categorical, text, or correction; NULL in rows of before schema 0.4.",
        )
        .dict(),
        column("value", Double, "Numeric score; of a boolean one 0 or 1."),
        column("label", Text, "Categorical score.").dict(),
        column("text", Text, "What was said in free text; of a correction what the output should have been."),
        column("explanation", Text, "Why."),
        column("source", Text, "human, model, code, user; NULL when the record does not say.").dict(),
        column("author", Text, "Who or what gave it.").dict(),
        column("metadata", Map, "Further members as sent."),
        column("service", Text, "`service.name` of the sender.").dict(),
        column("received_at", Timestamp, "When the collector received it.").required().stats().dict(),
        column("seq", Int64, "Position in the receiving shard's write-ahead log.").required().dict(),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_partitioned_by_its_first_column_and_sorted_by_columns_it_has() {
        for table in every_table() {
            assert_eq!(table.columns[0].name, "date", "{}", table.name);
            for key in table.sort {
                assert!(table.index(key) > 0, "the partition needs no sorting");
            }
            for (position, column) in table.columns.iter().enumerate() {
                assert_eq!(table.index(column.name), position, "`{}` stands twice", column.name);
                assert!(column.doc.ends_with('.') || column.doc.ends_with('…'), "`{}` lacks a sentence", column.name);
            }
        }
    }
}
