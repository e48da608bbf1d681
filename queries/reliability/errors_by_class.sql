-- title: Errors by provider, model and class
-- question: Which errors do model calls end in, and how often?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- `calls` are all calls of that provider and model, which is the one asked for: a failed call has no other.
SELECT
    provider, model, error_class, error_type, errors, calls,
    round(1.0 * errors / calls, 3) AS share,
    last_seen, example
FROM (
    SELECT
        provider, model, error_class, error_type, failed,
        count(*) AS errors,
        sum(count(*)) OVER (PARTITION BY provider, model) AS calls,
        max(start_time) AS last_seen,
        last_value(trace_id ORDER BY start_unix_nano) AS example
    FROM (
        SELECT *, coalesce(request_model, response_model) AS model, coalesce(status = 'error', false) AS failed
        FROM llm_calls
    ) AS named
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
    GROUP BY provider, model, error_class, error_type, failed
) AS counted
WHERE failed
ORDER BY errors DESC, provider, model, error_class, error_type
LIMIT $most
