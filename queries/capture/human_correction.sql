-- title: Corrected answers
-- question: Which answers did people correct, and which tool calls did they refuse or change?
-- param: since timestamptz = now() - INTERVAL '7 days' | Corrected since
-- A correction says what the answer should have been, and becomes what is expected.
SELECT
    trace_id, span_id, CAST(NULL AS int) AS day, 'correction' AS stratum,
    coalesce(author || ' ', '') || 'corrected ' || name || coalesce(': ' || explanation, '') AS reason,
    text AS expected
FROM evaluations
WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND time >= $since AND trace_id IS NOT NULL
    AND data_type = 'correction' AND superseded_at IS NULL
UNION ALL
SELECT
    trace_id, parent_span_id AS span_id, CAST(date AS int) AS day, 'tool call: ' || decision AS stratum,
    coalesce(tool_name, 'a tool') || ': ' || decision || coalesce(' by ' || decision_source, '') AS reason,
    CAST(NULL AS text) AS expected
FROM tool_calls
WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND trace_id IS NOT NULL
    AND decision IN ('reject', 'modify', 'edit')
ORDER BY trace_id, span_id, reason
