//! Rows as the queries answer them.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ask::RunsError;
use crate::record::Message;

/// A member of `input_refs` and the like.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ref {
    pub(crate) hash: String,
    role: Option<String>,
    bytes: Option<i64>,
    source: Option<String>,
}

impl From<&Ref> for Message {
    fn from(reference: &Ref) -> Self {
        let Ref { hash, role, bytes, source } = reference.clone();
        Self { role, hash, bytes, source }
    }
}

/// The messages of a list of references that may not be there.
pub(crate) fn messages(refs: Option<&Vec<Ref>>) -> Vec<Message> {
    refs.into_iter().flatten().map(Message::from).collect()
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EventRow {
    pub(crate) time_unix_nano: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) attributes: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LinkRow {
    pub(crate) trace_id: Option<String>,
    pub(crate) span_id: Option<String>,
}

/// A row of `span_records`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SpanRow {
    pub(crate) span_id: String,
    pub(crate) parent_span_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) kind: String,
    pub(crate) dialect: Option<String>,
    pub(crate) scope_name: Option<String>,
    pub(crate) scope_version: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) service_version: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) release: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) conversation_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) workflow_name: Option<String>,
    pub(crate) workflow_version: Option<String>,
    pub(crate) agent_name: Option<String>,
    pub(crate) start_unix_nano: i64,
    pub(crate) duration_ns: Option<i64>,
    pub(crate) status: Option<String>,
    pub(crate) status_message: Option<String>,
    pub(crate) error_type: Option<String>,
    pub(crate) error_class: Option<String>,
    pub(crate) tool_name: Option<String>,
    pub(crate) tool_call_id: Option<String>,
    pub(crate) request_model: Option<String>,
    pub(crate) response_model: Option<String>,
    pub(crate) input_tokens: Option<i64>,
    pub(crate) output_tokens: Option<i64>,
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    #[serde(default)]
    pub(crate) usage_flags: Vec<String>,
    pub(crate) input_refs: Option<Vec<Ref>>,
    pub(crate) output_refs: Option<Vec<Ref>>,
    pub(crate) payload_refs: Option<Vec<Ref>>,
    #[serde(default)]
    pub(crate) events: Vec<EventRow>,
    #[serde(default)]
    pub(crate) links: Vec<LinkRow>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, Option<String>>,
    pub(crate) trace_flags: Option<i64>,
    pub(crate) trace_state: Option<String>,
    pub(crate) dropped_attributes: Option<u64>,
    pub(crate) dropped_events: Option<u64>,
    pub(crate) dropped_links: Option<u64>,
    /// Microseconds since 1970.
    pub(crate) received: i64,
    #[serde(default)]
    pub(crate) is_record: bool,
    pub(crate) template: Option<String>,
    /// Where a placeholder says that the span it stands for belongs.
    pub(crate) pending_parent: Option<String>,
    #[serde(default)]
    pub(crate) scrubbed: bool,
    /// Marks of masking in its attributes and previews.
    #[serde(default)]
    pub(crate) marks: Vec<String>,
    /// What a span of kind `human` was sent with.
    #[serde(default)]
    pub(crate) said: BTreeMap<String, Option<String>>,
}

/// The columns of [`SpanRow`], those of a call, and what orders rows of one span.
pub(crate) const SPAN_COLUMNS: &str =
    "span_id, parent_span_id, name, kind, dialect, scope_name, scope_version, service,
    service_version, environment, release, team, conversation_id, user_id, workflow_name, workflow_version, agent_name,
    start_unix_nano, duration_ns, status, status_message, error_type, error_class, tool_name, tool_call_id,
    request_model, response_model, input_tokens, output_tokens, flags, usage_flags, input_refs, output_refs,
    payload_refs, events, links, tags, metadata, trace_flags, trace_state, dropped_attributes, dropped_events,
    dropped_links, CAST(received_at AS bigint) AS received, is_record, seq, provider, response_id, service_tier,
    prompt_name, prompt_version, prompt_label, prompt_hash, prompt_shape, prompt_variables, temperature, top_p,
    max_tokens, seed, request_params, streaming, ttft_ns, finish_reasons, cache_read_tokens, cache_write_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens,
    image_input_tokens, input_semantics, usage_reported, reported_cost_usd, content_hash, routing_hash, policy_hash,
    system_ref, tools_ref,
    attributes['llm.prompt_template.template'] AS template,
    attributes['logfire.pending_parent_id'] AS pending_parent,
    attributes['logfire.scrubbed'] IS NOT NULL AS scrubbed,
    CASE WHEN kind = 'human' THEN attributes END AS said";

impl SpanRow {
    pub(crate) fn end(&self) -> i64 {
        self.start_unix_nano.saturating_add(self.duration_ns.unwrap_or_default())
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.flags.iter().any(|flag| flag == "pending_span")
    }

    /// A span of the run without a parent.
    pub(crate) fn is_root(&self) -> bool {
        self.parent_span_id.is_none() && !self.is_record && !self.is_pending()
    }
}

/// One row of each span, in the order of their start: of rows of one span the longest tells what it knows, the others
/// fill in the rest. And how many rows were repetitions.
pub(crate) fn merged(rows: Vec<Map<String, Value>>) -> (Vec<Map<String, Value>>, u64) {
    let number = |row: &Map<String, Value>, name: &str| row.get(name).and_then(Value::as_i64);
    let mut rows = rows;
    rows.sort_by_key(|row| {
        (std::cmp::Reverse(number(row, "duration_ns")), number(row, "start_unix_nano"), number(row, "seq"))
    });
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut merged: Vec<Map<String, Value>> = Vec::new();
    let mut repeated = 0;
    for row in rows {
        let id = row.get("span_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        match places.get(&id) {
            Some(place) => {
                repeated += 1;
                for (name, value) in row {
                    merged[*place].entry(name).or_insert(value);
                }
            }
            None => {
                places.insert(id, merged.len());
                merged.push(row);
            }
        }
    }
    merged.sort_by_key(|row| number(row, "start_unix_nano"));
    (merged, repeated)
}

/// Rows by the names of their members.
pub(crate) fn typed<T: DeserializeOwned>(rows: &[Map<String, Value>]) -> Result<Vec<T>, RunsError> {
    let typed = rows.iter().map(|row| T::deserialize(row));
    typed.collect::<Result<_, _>>().map_err(|error| RunsError::Answer(error.to_string()))
}

/// A row of `logs`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LogRow {
    pub(crate) time_unix_nano: i64,
    pub(crate) span_id: Option<String>,
    pub(crate) event_name: Option<String>,
    pub(crate) severity: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) decision: Option<String>,
    pub(crate) decision_source: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) tool_name: Option<String>,
    pub(crate) tool_call_id: Option<String>,
    pub(crate) input_refs: Option<Vec<Ref>>,
    pub(crate) output_refs: Option<Vec<Ref>>,
    pub(crate) system_ref: Option<Ref>,
}

/// The columns of [`LogRow`].
pub(crate) const LOG_COLUMNS: &str =
    "time_unix_nano, span_id, event_name, severity, kind, body, decision, decision_source,
    user_id, tool_name, tool_call_id, input_refs, output_refs, system_ref";

/// Where the texts of a call are.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CallRefs {
    pub(crate) input_refs: Option<Vec<Ref>>,
    pub(crate) output_refs: Option<Vec<Ref>>,
    pub(crate) system_ref: Option<Ref>,
    pub(crate) tools_ref: Option<Ref>,
}

/// The columns of `merged_calls`: those of [`crate::record::ModelCall`] and of [`CallRefs`].
pub(crate) const CALL_COLUMNS: &str = "span_id, parent_span_id, name, kind, start_unix_nano, duration_ns, status,
    status_message, error_type, error_class, agent_name, provider, request_model, response_model, response_id,
    service_tier, prompt_name, prompt_version, prompt_label, prompt_hash, prompt_shape, prompt_variables, temperature,
    top_p, max_tokens, seed, request_params, streaming, ttft_ns, finish_reasons, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens,
    audio_input_tokens, audio_output_tokens, image_input_tokens, usage_flags, input_semantics, usage_reported,
    reported_cost_usd, content_hash, routing_hash, policy_hash, duplicates, reported_subtree_usage, input_refs,
    output_refs, system_ref, tools_ref";

/// The columns of `span_costs` that go to a call.
pub(crate) const COST_COLUMNS: &str =
    "span_id, CAST(cost_usd AS text) AS cost_usd, unpriced_reason, currency, price_rule,
    price_source, catalogue, catalogue_version, prices_version, price_tier, price_context_over, model_reading,
    count_reading";

/// A row of `call_spans`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PartRow {
    pub(crate) span_id: String,
    pub(crate) role: String,
    pub(crate) call_trace_id: String,
    pub(crate) call_span_id: String,
    pub(crate) call_rows: i64,
    pub(crate) wrapper_span_id: Option<String>,
    pub(crate) wrapper_input_tokens: Option<i64>,
    pub(crate) wrapper_output_tokens: Option<i64>,
    #[serde(flatten)]
    pub(crate) facts: Map<String, Value>,
}

/// The columns of [`PartRow`].
pub(crate) const PART_COLUMNS: &str = "span_id, role, call_trace_id, call_span_id, call_rows, wrapper_span_id,
    wrapper_input_tokens, wrapper_output_tokens, conversation_id, user_id, team, agent_name, workflow_name,
    workflow_version, prompt_name, prompt_version, prompt_label";

/// The columns of `tool_executions`: those of [`crate::record::ToolCall`].
pub(crate) const TOOL_COLUMNS: &str =
    "span_id, parent_span_id, name, start_unix_nano, duration_ns, tool_name, tool_call_id,
    tool_type, agent_name, status, status_message, error_type, error_class, decision, decision_source,
    input_hash AS arguments, output_hash AS result, duplicate_spans";

/// A row of `retrievals`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RetrievalRow {
    pub(crate) span_id: String,
    pub(crate) parent_span_id: Option<String>,
    pub(crate) kind: String,
    pub(crate) start_unix_nano: i64,
    pub(crate) duration_ns: Option<i64>,
    pub(crate) status: Option<String>,
    pub(crate) error_class: Option<String>,
    pub(crate) retrieval_query: Option<String>,
    pub(crate) position: Option<i64>,
    pub(crate) document_id: Option<String>,
    pub(crate) score: Option<f64>,
    pub(crate) hash: Option<String>,
    pub(crate) text: Option<String>,
}
