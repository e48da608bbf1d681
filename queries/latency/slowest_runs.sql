-- title: Slowest runs
-- question: Which runs took longest from their first span to their last?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
SELECT
    trace_id, start_time,
    round(duration_ns / 1e9, 3) AS seconds,
    root_name, missing_root, service, team, user_id, status,
    span_count, call_count, error_count
FROM traces
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND span_count > 0 AND NOT only_duplicates
ORDER BY duration_ns DESC, trace_id
LIMIT $most
