-- title: Tool loops (heuristic)
-- question: Which runs call the same tool with the same arguments again and again?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: least_times bigint = 3 | Only calls that were made at least this often in one run
-- param: most bigint = 50 | At most this many rows
-- One distinct result says that the agent learned nothing from asking again; it may also wait for something.
SELECT
    trace_id, service, tool_name,
    count(*) AS times,
    count(DISTINCT output_hash) AS distinct_results,
    count(*) FILTER (WHERE status = 'error') AS failed,
    min(start_time) AS first_call,
    round((max(start_unix_nano) - min(start_unix_nano)) / 1e9, 3) AS seconds,
    min(arguments) AS arguments
FROM tool_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND trace_id IS NOT NULL AND input_hash IS NOT NULL
GROUP BY tenant, trace_id, service, tool_name, input_hash
HAVING count(*) >= $least_times
ORDER BY times DESC, first_call, trace_id, tool_name
LIMIT $most
