-- title: Thumbs down
-- question: Which calls and runs did people dislike?
-- param: since timestamptz = now() - INTERVAL '7 days' | Said since
-- What people say of an answer: a score of nothing or below, or a label that says no. Where a score does not say who gave
-- it, its name has to tell that it is feedback. What names a response alone is said of the call that got it.
WITH said AS (
    SELECT tenant, trace_id, span_id, response_id, time, name, value, label, explanation, author
    FROM evaluations
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND time >= $since
        AND superseded_at IS NULL AND target <> 'document'
        AND (source IN ('user', 'human') OR (source IS NULL AND regexp_like(name, 'feedback|thumb|rating|like', 'i')))
        AND (value <= 0 OR lower(label) IN ('thumbs_down', 'thumbs-down', 'thumbs down', 'down', 'dislike', 'negative', 'bad',
            'incorrect', 'wrong', 'no', 'false', '👎'))
),
placed AS (
    SELECT trace_id, span_id, time, name, value, label, explanation, author FROM said WHERE trace_id IS NOT NULL
    UNION ALL
    SELECT c.trace_id, c.span_id, s.time, s.name, s.value, s.label, s.explanation, s.author
    FROM (SELECT * FROM said WHERE trace_id IS NULL AND response_id IS NOT NULL) AS s
    JOIN llm_calls AS c ON c.tenant = s.tenant AND c.response_id = s.response_id
    WHERE c.trace_id IS NOT NULL
)
SELECT
    trace_id, span_id, name AS stratum,
    coalesce(author || ': ', '') || name || ' = ' || coalesce(label, CAST(value AS text)) || coalesce(': ' || explanation, '') AS reason
FROM placed
ORDER BY time, trace_id, span_id, name
