-- title: Badly scored calls
-- question: Which calls and runs were scored below a line?
-- param: since timestamptz = now() - INTERVAL '7 days' | Scored since
-- param: score text = NULL | Only the score of this name
-- param: below double = 0.5 | The line, on the scale of the score
SELECT
    trace_id, span_id, name AS stratum,
    name || ' = ' || CAST(value AS text) || coalesce(': ' || explanation, '') AS reason
FROM evaluations
WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND time >= $since AND trace_id IS NOT NULL
    AND superseded_at IS NULL AND value < $below AND ($score IS NULL OR name = $score)
ORDER BY time, trace_id, span_id, name
