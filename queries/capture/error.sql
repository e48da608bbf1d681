-- title: Failed calls and runs
-- question: Which model calls ended in an error, and in which runs did something else fail, such as a tool?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: class text = NULL | Only errors of this class, such as content_filter
-- Of a run whose model calls all went well one failure is told: of a tool or a search before that of the agent around it.
WITH failed AS (
    SELECT
        tenant, trace_id, span_id, date, start_time, coalesce(error_class, error_type, 'error') AS stratum,
        coalesce(error_type, error_class, 'error') || coalesce(': ' || nullif(status_message, error_type), '') AS reason
    FROM llm_calls
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND trace_id IS NOT NULL
        AND status = 'error' AND ($class IS NULL OR error_class = $class)
),
others AS (
    SELECT
        tenant, trace_id, span_id, date, start_time, kind AS stratum,
        coalesce(tool_name, name) || ': ' || coalesce(error_type, error_class, 'error')
            || coalesce(': ' || nullif(status_message, error_type), '') AS reason,
        row_number() OVER (
            PARTITION BY tenant, trace_id
            ORDER BY CASE WHEN kind IN ('agent', 'workflow', 'chain', 'http', 'other') THEN 1 ELSE 0 END,
                start_time DESC, span_id
        ) AS place
    FROM spans
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND status = 'error'
        AND kind NOT IN ('chat', 'completion', 'embedding', 'rerank') AND ($class IS NULL OR error_class = $class)
)
SELECT trace_id, span_id, CAST(date AS int) AS day, stratum, reason
FROM (
    SELECT trace_id, span_id, date, start_time, stratum, reason FROM failed
    UNION ALL
    SELECT trace_id, span_id, date, start_time, stratum, reason
    FROM others
    WHERE place = 1 AND NOT EXISTS (
        SELECT 1 FROM failed WHERE failed.tenant = others.tenant AND failed.trace_id = others.trace_id)
) AS told
ORDER BY start_time, span_id
