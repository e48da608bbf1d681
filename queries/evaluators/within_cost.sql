-- title: Within the cost budget
-- question: Did the run cost no more than it may?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: usd double = 0.5 | The budget of a run in US dollars
-- A run with calls that have no price is judged only where what is known is already too much.
SELECT trace_id, cost_usd <= $usd AS value,
    CASE WHEN cost_usd > $usd THEN CAST(round(cost_usd, 6) AS text) || ' USD' END AS explanation
FROM runs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND call_count > 0 AND (unpriced_calls = 0 OR cost_usd > $usd)
ORDER BY trace_id
