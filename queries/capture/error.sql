-- title: Failed calls
-- question: Which model calls ended in an error?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: class text = NULL | Only errors of this class, such as content_filter
SELECT
    trace_id, span_id, CAST(date AS int) AS day, coalesce(error_class, error_type, 'error') AS stratum,
    coalesce(error_type, error_class, 'error') || coalesce(': ' || nullif(status_message, error_type), '') AS reason
FROM llm_calls
WHERE date >= CAST($since AS date) AND start_time >= $since AND trace_id IS NOT NULL
    AND status = 'error' AND ($class IS NULL OR error_class = $class)
ORDER BY start_time, span_id
