-- One row is one span, or one log record that stands for a model call or a tool execution as a span would.
--
-- The columns are those of `spans` and how a tool call was decided on; `is_record` tells the two apart. Coding agents
-- tell of their calls and tools in log records, and so do events such as `gen_ai.client.inference.operation.details`.
-- Rule: a record ended at its time; its `span_id` is its `record_id`, and its parent the span that it was written
-- within. A record without a trace stands alone: its `trace_id` is its `record_id` too.
SELECT *, false AS is_record
FROM spans
UNION ALL BY NAME
SELECT
    date, coalesce(trace_id, record_id) AS trace_id, record_id AS span_id, span_id AS parent_span_id,
    coalesce(event_name, operation) AS name, kind, dialect, scope_name, scope_version, service, service_version,
    environment, tenant, team,
    arrow_cast((time_unix_nano - coalesce(duration_ns, 0)) / 1000, 'Timestamp(Microsecond, Some("UTC"))') AS start_time,
    time AS end_time, time_unix_nano - coalesce(duration_ns, 0) AS start_unix_nano, duration_ns, status, status_message,
    error_type, error_class, operation, provider, request_model, response_model, response_id, agent_name,
    conversation_id, user_id, finish_reasons, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
    reasoning_tokens, usage_reported, usage_flags, input_semantics, reported_cost_usd, tool_name, tool_call_id,
    tool_type, input_refs, output_refs, system_ref, tools_ref, attributes, attribute_types, resource_attributes, flags,
    received_at, seq, mapping_version, decision, decision_source, true AS is_record
FROM logs
WHERE record_id IS NOT NULL
