-- title: Tools work
-- question: Did no tool of the run fail again and again?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: least bigint = 2 | So many failures of one tool are repeated
-- Judged are runs that executed tools.
SELECT trace_id, max(failures) < $least AS value,
    CASE WHEN max(failures) >= $least
        THEN string_agg(tool_name || ' failed ' || CAST(failures AS text) || ' times', ', ' ORDER BY tool_name)
            FILTER (WHERE failures >= $least) END AS explanation
FROM (
    SELECT tenant, trace_id, tool_name, count(*) FILTER (WHERE status = 'error') AS failures
    FROM tool_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until AND trace_id IS NOT NULL
    GROUP BY tenant, trace_id, tool_name
) AS tools
GROUP BY tenant, trace_id
ORDER BY trace_id
