-- title: No loop of tool calls (heuristic)
-- question: Did the run not call a tool with the same arguments again and again?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: least bigint = 3 | So many equal calls are a loop
-- Judged are runs that executed tools and captured their arguments.
SELECT trace_id, max(times) < $least AS value,
    CASE WHEN max(times) >= $least
        THEN string_agg(tool_name || ' called ' || CAST(times AS text) || ' times alike', ', ' ORDER BY tool_name)
            FILTER (WHERE times >= $least) END AS explanation
FROM (
    SELECT tenant, trace_id, tool_name, input_hash, count(*) AS times
    FROM tool_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND trace_id IS NOT NULL AND input_hash IS NOT NULL
    GROUP BY tenant, trace_id, tool_name, input_hash
) AS calls
GROUP BY tenant, trace_id
ORDER BY trace_id
