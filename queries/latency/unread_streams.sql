-- title: Streams nobody read to the end (heuristic)
-- question: Which streamed calls never tell how they ended, so that their tokens are unknown?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- Unread: streamed, not failed, and neither a finish reason nor output tokens were reported. The model is the one
-- asked for.
SELECT
    service, scope_name,
    coalesce(request_model, response_model) AS model,
    count(*) AS streamed_calls,
    count(*) FILTER (WHERE unread) AS unread,
    round(1.0 * count(*) FILTER (WHERE unread) / count(*), 3) AS share,
    max(start_time) FILTER (WHERE unread) AS last_seen,
    last_value(trace_id ORDER BY start_unix_nano) FILTER (WHERE unread) AS example
FROM (
    SELECT *, finish_reasons IS NULL AND output_tokens IS NULL AND status IS DISTINCT FROM 'error' AS unread
    FROM llm_calls
    WHERE streaming
) AS calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
GROUP BY service, scope_name, coalesce(request_model, response_model)
HAVING count(*) FILTER (WHERE unread) > 0
ORDER BY unread DESC, service, scope_name, model
LIMIT $most
