-- title: Calls without usage
-- question: Which senders do not say how many tokens their calls used?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- A failed call seldom reports usage; one that succeeded should. The model is the one asked for: a failed call has no
-- other.
SELECT
    service, dialect, scope_name,
    coalesce(request_model, response_model) AS model,
    count(*) AS calls,
    count(*) FILTER (WHERE silent) AS without_usage,
    count(*) FILTER (WHERE silent AND status = 'error') AS of_which_failed,
    count(*) FILTER (WHERE silent AND streaming) AS of_which_streamed,
    round(1.0 * count(*) FILTER (WHERE silent) / count(*), 3) AS share
FROM (
    SELECT *, input_tokens IS NULL AND output_tokens IS NULL AS silent
    FROM llm_calls
) AS calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
GROUP BY service, dialect, scope_name, coalesce(request_model, response_model)
HAVING count(*) FILTER (WHERE silent) > 0
ORDER BY without_usage DESC, service, dialect, scope_name, model
LIMIT $most
