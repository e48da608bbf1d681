-- One row is one run: a trace that is more than a second account of calls in other traces.
--
-- Rule: `traces`, without those that hold nothing but duplicates, and with what was said of the run: `scores` lists the
-- last words on the run or one of its spans, the newest first. A score that names a response alone is of the span that
-- got it; spans are looked through for one only where there is such a score.
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
    FROM (
        SELECT tenant, trace_id, span_id, time_unix_nano, name, value, label, source, author
        FROM evaluations
        WHERE trace_id IS NOT NULL AND superseded_at IS NULL
        UNION ALL
        SELECT
            e.tenant, c.trace_id, min(c.span_id) AS span_id, e.time_unix_nano, e.name, e.value, e.label, e.source, e.author
        FROM (
            SELECT tenant, response_id, time_unix_nano, name, value, label, source, author
            FROM evaluations
            WHERE trace_id IS NULL AND response_id IS NOT NULL AND superseded_at IS NULL
        ) AS e
        JOIN spans AS c ON c.tenant = e.tenant AND c.response_id = e.response_id
        GROUP BY e.tenant, c.trace_id, e.response_id, e.time_unix_nano, e.name, e.value, e.label, e.source, e.author
    ) AS said
    GROUP BY tenant, trace_id
) AS s ON s.tenant = t.tenant AND s.trace_id = t.trace_id
WHERE NOT t.only_duplicates
