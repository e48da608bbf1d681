-- title: Corrected answers
-- question: Which answers did people correct, and which tool calls did they refuse or change?
-- param: since timestamptz = now() - INTERVAL '7 days' | Corrected since
-- A correction says what the answer should have been, and becomes what is expected. One that names a response alone is of
-- the call that got it.
WITH said AS (
    SELECT tenant, trace_id, span_id, response_id, name, text, explanation, author
    FROM evaluations
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND time >= $since
        AND data_type = 'correction' AND superseded_at IS NULL
),
placed AS (
    SELECT trace_id, span_id, name, text, explanation, author FROM said WHERE trace_id IS NOT NULL
    UNION ALL
    SELECT c.trace_id, c.span_id, s.name, s.text, s.explanation, s.author
    FROM (SELECT * FROM said WHERE trace_id IS NULL AND response_id IS NOT NULL) AS s
    JOIN llm_calls AS c ON c.tenant = s.tenant AND c.response_id = s.response_id
    WHERE c.trace_id IS NOT NULL
)
SELECT
    trace_id, span_id, CAST(NULL AS int) AS day, 'correction' AS stratum,
    coalesce(author || ' ', '') || 'corrected ' || name || coalesce(': ' || explanation, '') AS reason,
    text AS expected
FROM placed
UNION ALL
SELECT
    trace_id, parent_span_id AS span_id, CAST(date AS int) AS day, 'tool call: ' || decision AS stratum,
    coalesce(tool_name, 'a tool') || ': ' || decision || coalesce(' by ' || decision_source, '') AS reason,
    CAST(NULL AS text) AS expected
FROM tool_calls
WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND trace_id IS NOT NULL
    AND decision IN ('reject', 'modify', 'edit')
ORDER BY trace_id, span_id, reason
