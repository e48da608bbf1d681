-- title: A run's whole story
-- question: What happened in this run, step by step?
-- param: run text = NULL | The trace id; without it, the newest run with a model call
-- Steps are indented below their parents and stand in the order of their start. A step whose parent is missing stands
-- at the margin, and so does one that is its own ancestor. Decisions on tool calls are told by log records.
WITH RECURSIVE chosen AS (
    SELECT tenant, trace_id
    FROM spans
    WHERE trace_id = $run OR $run IS NULL AND kind IN ('chat', 'completion')
    ORDER BY start_time DESC
    LIMIT 1
),
steps AS (
    -- A span that was sent again is one step, the longest.
    SELECT *
    FROM (
        SELECT s.*,
            row_number() OVER (PARTITION BY s.span_id ORDER BY s.duration_ns DESC, tracewell_digest(
                s.start_unix_nano, s.parent_span_id, s.name, s.attributes, s.input_refs, s.output_refs)) AS place
        FROM spans AS s
        JOIN chosen ON chosen.tenant = s.tenant AND chosen.trace_id = s.trace_id
    ) AS sent
    WHERE place = 1
),
tree AS (
    SELECT span_id, 0 AS depth
    FROM steps
    WHERE parent_span_id IS NULL OR parent_span_id NOT IN (SELECT span_id FROM steps)
    UNION ALL
    SELECT steps.span_id, tree.depth + 1
    FROM tree
    JOIN steps ON steps.parent_span_id = tree.span_id
    WHERE tree.depth < 64
),
told AS (
    SELECT
        start_unix_nano, steps.span_id, coalesce(depth, 0) AS depth, name, kind, duration_ns,
        coalesce(response_model, request_model, tool_name) AS model_or_tool,
        input_tokens, output_tokens, status,
        coalesce(error_type, status_message) AS error,
        input_preview AS input, output_preview AS output
    FROM steps
    LEFT JOIN tree ON tree.span_id = steps.span_id
    UNION ALL
    SELECT
        l.time_unix_nano, l.span_id, coalesce(depth + 1, 0), l.event_name, l.kind, NULL AS duration_ns,
        l.tool_name,
        NULL AS input_tokens, NULL AS output_tokens, NULL AS status,
        NULL AS error,
        NULL AS input, l.decision || coalesce(' by ' || l.decision_source, '')
    FROM (
        -- A record that was sent again is one decision.
        SELECT logs.time_unix_nano, logs.span_id, event_name, kind, tool_name, decision, decision_source
        FROM logs
        JOIN chosen ON chosen.tenant = logs.tenant AND chosen.trace_id = logs.trace_id
        WHERE decision IS NOT NULL
        GROUP BY logs.time_unix_nano, logs.span_id, event_name, kind, tool_name, tool_call_id, decision, decision_source
    ) AS l
    LEFT JOIN tree ON tree.span_id = l.span_id
)
SELECT
    round((start_unix_nano - min(start_unix_nano) OVER ()) / 1e6, 1) AS at_ms,
    repeat('  ', depth) || name AS step,
    kind, model_or_tool,
    round(duration_ns / 1e6, 1) AS ms,
    input_tokens, output_tokens, status, error, input, output
FROM told
ORDER BY start_unix_nano, depth, span_id
