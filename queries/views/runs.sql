-- One row is one run: a trace that is more than a second account of calls in other traces.
--
-- Rule: `traces`, without those that hold nothing but duplicates, and with what was said of the run: `scores` lists the
-- last words on the run or one of its spans, the newest first.
SELECT
    t.tenant, t.trace_id, t.date, t.start_time, t.end_time, t.duration_ns, t.root_name, t.root_kind, t.missing_root,
    t.status, t.service, t.environment, t.release, t.team, t.conversation_id, t.user_id, t.workflow_name,
    t.workflow_version, t.models, t.prompts, t.tools, t.span_count, t.error_count, t.call_count, t.tool_count,
    t.tool_error_count, t.retrieval_count, t.input_tokens, t.output_tokens, t.cache_read_tokens, t.cache_write_tokens,
    t.reasoning_tokens, t.calls_without_usage, t.cost_usd,
    t.unpriced_calls, t.reported_cost_usd, s.scores, t.input_preview, t.output_preview,
    t.is_trial
FROM traces AS t
LEFT JOIN (
    SELECT
        tenant, trace_id,
        array_agg(named_struct('name', name, 'value', value, 'label', label, 'source', source, 'span_id', span_id)
            ORDER BY time_unix_nano DESC, name, span_id, source, author, value, label) AS scores
    FROM evaluations
    WHERE trace_id IS NOT NULL AND superseded_at IS NULL
    GROUP BY tenant, trace_id
) AS s ON s.tenant = t.tenant AND s.trace_id = t.trace_id
WHERE NOT t.only_duplicates
