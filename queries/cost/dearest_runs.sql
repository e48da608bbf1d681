-- title: Dearest runs
-- question: Which runs cost most?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
SELECT
    trace_id, start_time, root_name, service, team, user_id, status, call_count, unpriced_calls,
    round(cost_usd, 6) AS cost_usd
FROM runs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
ORDER BY cost_usd DESC NULLS LAST, trace_id
LIMIT $most
