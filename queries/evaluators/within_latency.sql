-- title: Within the latency budget
-- question: Did the run end in time?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: seconds double = 30 | The budget of a run
SELECT trace_id, duration_ns <= $seconds * 1e9 AS value,
    CASE WHEN duration_ns > $seconds * 1e9
        THEN CAST(round(duration_ns / 1e9, 3) AS text) || ' s' END AS explanation
FROM runs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until AND call_count > 0
ORDER BY trace_id
