-- title: Retrievals that return nothing
-- question: What was searched for and not found?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: service text = NULL | Only this service
-- param: most bigint = 50 | At most this many rows
-- A sender that does not capture documents looks as if it never found any: then `sender_found` is 0, the number of
-- searches by the same instrumentation of the service that have documents.
WITH searches AS (
    SELECT *, count(position) OVER (PARTITION BY service, scope_name) AS sender_found
    FROM retrievals
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($service IS NULL OR service = $service)
        AND kind = 'retrieval' AND (status IS NULL OR status <> 'error')
        AND (position IS NULL OR position = 1)
)
SELECT
    service, scope_name, retrieval_query,
    count(*) AS searches,
    count(*) FILTER (WHERE position IS NULL) AS empty,
    sender_found,
    max(start_time) FILTER (WHERE position IS NULL) AS last_empty,
    last_value(trace_id ORDER BY start_time) FILTER (WHERE position IS NULL) AS example
FROM searches
GROUP BY service, scope_name, retrieval_query, sender_found
HAVING count(*) FILTER (WHERE position IS NULL) > 0
ORDER BY empty DESC, service, scope_name, retrieval_query
LIMIT $most
