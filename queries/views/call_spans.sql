-- One row is one span, or log record that stands for one, that has a part in a model call.
--
-- `role` says which: `call` for the span that stands for the call, `duplicate` for one that a second instrumentation
-- (or the public half of a method) made of the same call, `wrapper` for a span around calls of its own kind, which is
-- none itself. `call_trace_id` and `call_span_id` name the span that stands for the call.
--
-- Rule: a span sent again is one span; nested spans, siblings and spans of separate traces are one call when two
-- instrumentations saw it at one time in one service, and they name one response or else have equal usage. A log record
-- is one more way to see a call, and part of the call whose span it was written within; Logfire's record of the end of a
-- stream is part of its request. `tracewell_call` decides; it sees all spans and log records of a tenant. Identities are
-- those of `span_records`.
SELECT
    tenant, trace_id, span_id, date, is_record,
    part['role'] AS role,
    part['call_trace_id'] AS call_trace_id,
    part['call_span_id'] AS call_span_id,
    -- The spans of a call in the order in which they fill what the first lacks; and which of them counts the tokens.
    part['rank'] AS rank,
    part['usage_rank'] AS usage_rank,
    -- How many rows of `span_records` tell of the call, those sent again counted each time.
    part['rows'] AS call_rows,
    part['input_tokens'] AS call_input_tokens,
    part['output_tokens'] AS call_output_tokens,
    -- The nearest span around it that reports usage for several calls.
    part['wrapper_span_id'] AS wrapper_span_id,
    part['wrapper_input_tokens'] AS wrapper_input_tokens,
    part['wrapper_output_tokens'] AS wrapper_output_tokens,
    part['trial'] = 1 AS is_trial,
    -- Facts of the call: from its spans, else the nearest span above, else the root, else what all of the trace agree on.
    part['conversation_id'] AS conversation_id,
    part['user_id'] AS user_id,
    part['team'] AS team,
    part['agent_name'] AS agent_name,
    part['workflow_name'] AS workflow_name,
    part['workflow_version'] AS workflow_version,
    part['prompt_name'] AS prompt_name,
    part['prompt_version'] AS prompt_version,
    part['prompt_label'] AS prompt_label
FROM (
    SELECT
        tenant, trace_id, span_id, date, is_record,
        tracewell_call(named_struct(
            'trace_id', trace_id, 'span_id', span_id, 'parent_span_id', parent_span_id, 'start', start_ns, 'end', end_ns,
            'name', name, 'kind', kind, 'pending', pending, 'tail', tail, 'record', is_record,
            'message', message, 'scope_name', scope_name, 'service', service,
            'request_model', request_model, 'response_model', response_model, 'response_id', response_id,
            'content_hash', content_hash, 'input_tokens', input_tokens, 'output_tokens', output_tokens,
            'usage_parts', usage_parts, 'doubtful', doubtful, 'has_content', has_content, 'trial', trial,
            'conversation_id', conversation_id, 'user_id', user_id, 'team', team, 'agent_name', agent_name,
            'workflow_name', workflow_name, 'workflow_version', workflow_version,
            'prompt_name', prompt_name, 'prompt_version', prompt_version, 'prompt_label', prompt_label
        )) OVER (PARTITION BY tenant) AS part
    FROM (
        SELECT
            tenant, trace_id, span_id, date, parent_span_id, start_unix_nano AS start_ns,
            start_unix_nano + coalesce(duration_ns, 0) AS end_ns, name, kind, is_record,
            coalesce(array_has(flags, 'pending_span'), false) AS pending,
            coalesce(array_has(flags, 'streaming_record'), false) AS tail,
            CASE WHEN scope_name LIKE 'logfire%' THEN input_refs[-1]['hash'] END AS message,
            CASE WHEN is_record THEN name ELSE scope_name END AS scope_name,
            service, request_model, response_model, response_id, content_hash, input_tokens, output_tokens,
            CASE WHEN cache_read_tokens > 0 THEN 1 ELSE 0 END + CASE WHEN cache_write_tokens > 0 THEN 1 ELSE 0 END
                + CASE WHEN cache_write_5m_tokens > 0 THEN 1 ELSE 0 END
                + CASE WHEN cache_write_1h_tokens > 0 THEN 1 ELSE 0 END
                + CASE WHEN reasoning_tokens > 0 THEN 1 ELSE 0 END
                + CASE WHEN audio_input_tokens > 0 THEN 1 ELSE 0 END
                + CASE WHEN audio_output_tokens > 0 THEN 1 ELSE 0 END AS usage_parts,
            usage_flags IS NOT NULL AS doubtful,
            input_refs IS NOT NULL OR output_refs IS NOT NULL AS has_content,
            coalesce(array_has(flags, 'trial'), false) AS trial,
            conversation_id, user_id, team, agent_name, workflow_name, workflow_version,
            prompt_name, prompt_version, prompt_label
        -- Traces without a model call have no part in this, and are most of what services send. A join, and its ids
        -- first: an engine keeps the left side in memory.
        FROM (
            SELECT DISTINCT trace_id AS called FROM span_records
            WHERE kind IN ('chat', 'completion', 'embedding', 'rerank')
        ) AS calling
        JOIN span_records ON trace_id = called
        UNION ALL
        SELECT
            tenant, trace_id, NULL AS span_id, date, NULL AS parent_span_id, time_unix_nano AS start_ns,
            time_unix_nano AS end_ns, NULL AS name, NULL AS kind, true AS is_record, false AS pending, false AS tail,
            NULL AS message, NULL AS scope_name, service,
            NULL AS request_model, NULL AS response_model, NULL AS response_id, NULL AS content_hash,
            NULL AS input_tokens, NULL AS output_tokens, 0 AS usage_parts, false AS doubtful, false AS has_content,
            false AS trial, conversation_id, user_id, NULL AS team, NULL AS agent_name, NULL AS workflow_name,
            NULL AS workflow_version, NULL AS prompt_name, NULL AS prompt_version, NULL AS prompt_label
        FROM logs
        WHERE trace_id IS NOT NULL AND record_id IS NULL AND (conversation_id IS NOT NULL OR user_id IS NOT NULL)
    ) AS said
) AS parts
WHERE part IS NOT NULL
