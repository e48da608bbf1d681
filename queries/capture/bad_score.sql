-- title: Badly scored calls
-- question: Which calls and runs were scored below a line?
-- param: since timestamptz = now() - INTERVAL '7 days' | Scored since
-- param: score text = NULL | Only the score of this name
-- param: below double = 0.5 | The line, on the scale of the score
-- A score that names a response alone is of the call that got it.
WITH said AS (
    SELECT tenant, trace_id, span_id, response_id, time, name, value, explanation
    FROM evaluations
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND time >= $since
        AND superseded_at IS NULL AND target <> 'document' AND value < $below AND ($score IS NULL OR name = $score)
),
placed AS (
    SELECT trace_id, span_id, time, name, value, explanation FROM said WHERE trace_id IS NOT NULL
    UNION ALL
    SELECT c.trace_id, c.span_id, s.time, s.name, s.value, s.explanation
    FROM (SELECT * FROM said WHERE trace_id IS NULL AND response_id IS NOT NULL) AS s
    JOIN llm_calls AS c ON c.tenant = s.tenant AND c.response_id = s.response_id
    WHERE c.trace_id IS NOT NULL
)
SELECT
    trace_id, span_id, name AS stratum,
    name || ' = ' || CAST(value AS text) || coalesce(': ' || explanation, '') AS reason
FROM placed
ORDER BY time, trace_id, span_id, name
