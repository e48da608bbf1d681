-- title: Largest runs
-- question: Which runs used the most tokens?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
SELECT
    trace_id, start_time, root_name, service, team, user_id,
    call_count, calls_without_usage,
    input_tokens, cache_read_tokens, output_tokens,
    coalesce(input_tokens, 0) + coalesce(output_tokens, 0) AS known_tokens,
    models
FROM traces
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND call_count > 0 AND NOT only_duplicates
ORDER BY known_tokens DESC, trace_id
LIMIT $most
