-- title: Tool failures
-- question: Which tools fail, how often, and how long do they take?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
SELECT
    service, tool_name,
    count(*) AS calls,
    count(*) FILTER (WHERE status = 'error') AS failed,
    round(1.0 * count(*) FILTER (WHERE status = 'error') / count(*), 3) AS failed_share,
    string_agg(DISTINCT coalesce(error_type, error_class), ', ' ORDER BY coalesce(error_type, error_class))
        FILTER (WHERE status = 'error') AS errors,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns / 1e6), 1) AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns / 1e6), 1) AS p95_ms
FROM tool_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY service, tool_name
ORDER BY failed DESC, calls DESC, service, tool_name
LIMIT $most
