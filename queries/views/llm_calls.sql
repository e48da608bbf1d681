-- One row is one real model call: a call counts once, however many spans tell of it.
--
-- The columns are those of `spans`. A call that only a log record tells of is that record: its `span_id` is the
-- record's id, and `trace_id` is NULL where it names no trace. Rule: see `call_spans` for which spans are one call, and
-- `merged_calls` for how they are merged; a call that one row of `span_records` tells of is that row. Facts that are on
-- another span or came later (conversation, user, prompt, …) are filled from the nearest span above, else the root, else
-- from what the trace agrees on. `duplicate_spans` counts the other spans and records merged in and `duplicates` names
-- them. `reported_subtree_usage` is what the nearest span of the same kind around the call reported for all calls
-- within: not to be added up. `is_trial` tells calls of replays and test harnesses from traffic: a span of their trace is
-- marked with `tracewell.example.id`.
SELECT
    s.tenant, nullif(s.trace_id, s.span_id) AS trace_id, s.span_id, s.date, s.parent_span_id, s.name, s.span_kind,
    s.kind, s.dialect, s.scope_name, s.scope_version, s.start_time, s.end_time, s.start_unix_nano, s.duration_ns,
    s.service, s.service_version, s.environment, s.release, s.status, s.status_message, s.error_type, s.error_class, s.operation, s.framework,
    s.provider, s.request_model, s.response_model, s.response_id, s.service_tier, c.conversation_id, c.user_id,
    c.team, c.agent_name, c.workflow_name, c.workflow_version, c.prompt_name, c.prompt_version, c.prompt_label,
    s.prompt_hash, s.prompt_shape, s.prompt_variables, s.temperature, s.top_p, s.max_tokens, s.seed, s.request_params,
    s.streaming, s.ttft_ns, s.finish_reasons, s.input_tokens, s.output_tokens, s.cache_read_tokens,
    s.cache_write_tokens, s.cache_write_5m_tokens, s.cache_write_1h_tokens, s.reasoning_tokens, s.audio_input_tokens,
    s.audio_output_tokens, s.image_input_tokens, s.usage_reported, s.usage_flags, s.input_semantics,
    s.reported_cost_usd, s.retrieval_query, s.tags, s.metadata, s.content_hash, s.routing_hash, s.policy_hash,
    s.input_preview, s.output_preview, s.input_refs, s.output_refs, s.system_ref, s.tools_ref, s.attributes,
    s.attribute_types, s.resource_attributes, s.events, s.links, s.flags, s.received_at, s.seq, s.mapping_version,
    0 AS duplicate_spans, NULL AS duplicates,
    CASE WHEN c.wrapper_span_id IS NOT NULL THEN named_struct('span_id', c.wrapper_span_id,
        'input_tokens', c.wrapper_input_tokens, 'output_tokens', c.wrapper_output_tokens) END AS reported_subtree_usage,
    c.is_trial
FROM call_spans AS c
JOIN span_records AS s
    ON s.tenant = c.tenant AND s.trace_id = c.trace_id AND s.span_id = c.span_id AND s.date = c.date
WHERE c.role = 'call' AND c.call_rows = 1 AND s.kind IN ('chat', 'completion', 'embedding', 'rerank')
UNION ALL
SELECT
    tenant, trace_id, span_id, date, parent_span_id, name, span_kind, kind, dialect, scope_name, scope_version,
    start_time, end_time, start_unix_nano, duration_ns, service, service_version, environment, release, status,
    status_message, error_type, error_class, operation, framework, provider, request_model, response_model,
    response_id, service_tier, conversation_id, user_id, team, agent_name, workflow_name, workflow_version,
    prompt_name, prompt_version, prompt_label, prompt_hash, prompt_shape, prompt_variables, temperature, top_p,
    max_tokens, seed, request_params, streaming, ttft_ns, finish_reasons, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens,
    audio_input_tokens, audio_output_tokens, image_input_tokens, usage_reported, usage_flags, input_semantics,
    reported_cost_usd, retrieval_query, tags, metadata, content_hash, routing_hash, policy_hash, input_preview,
    output_preview, input_refs, output_refs, system_ref, tools_ref, attributes, attribute_types, resource_attributes,
    events, links, flags, received_at, seq, mapping_version, duplicate_spans, duplicates, reported_subtree_usage,
    is_trial
FROM merged_calls
