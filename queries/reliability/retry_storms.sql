-- title: Retry storms (heuristic)
-- question: Which runs sent the same request to the model again and again, and did it help?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: least_attempts bigint = 3 | Only requests that were sent at least this often
-- param: most bigint = 50 | At most this many rows
-- The same request: as many messages, the same last one, the same instructions and model, in one run. Needs captured
-- messages. Some attempt must have failed.
SELECT
    trace_id, service, team,
    coalesce(request_model, response_model) AS model,
    count(*) AS attempts,
    count(*) FILTER (WHERE status = 'error') AS failed,
    last_value(status ORDER BY start_unix_nano) IS DISTINCT FROM 'error' AS succeeded_at_last,
    min(start_time) AS first_attempt,
    round((max(start_unix_nano) - min(start_unix_nano)) / 1e9, 3) AS seconds,
    string_agg(DISTINCT error_class, ', ' ORDER BY error_class) AS error_classes,
    min(input_preview) AS request
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND input_refs IS NOT NULL AND trace_id IS NOT NULL
GROUP BY tenant, trace_id, service, team, coalesce(request_model, response_model),
    content_hash, cardinality(input_refs), input_refs[CAST(cardinality(input_refs) AS bigint)]['hash']
HAVING count(*) >= $least_attempts AND count(*) FILTER (WHERE status = 'error') > 0
ORDER BY attempts DESC, first_attempt, trace_id, tenant
LIMIT $most
