-- title: Thumbs down
-- question: Which calls and runs did people dislike?
-- param: since timestamptz = now() - INTERVAL '7 days' | Said since
-- What people say of an answer: a score of nothing or below, or a label that says no. Where a score does not say who gave
-- it, its name has to tell that it is feedback.
SELECT
    trace_id, span_id, name AS stratum,
    coalesce(author || ': ', '') || name || ' = ' || coalesce(label, CAST(value AS text)) || coalesce(': ' || explanation, '') AS reason
FROM evaluations
WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND time >= $since AND trace_id IS NOT NULL
    AND superseded_at IS NULL AND (source IN ('user', 'human') OR (source IS NULL AND regexp_like(name, 'feedback|thumb|rating|like', 'i')))
    AND (value <= 0 OR lower(label) IN ('thumbs_down', 'thumbs-down', 'thumbs down', 'down', 'dislike', 'negative', 'bad',
        'incorrect', 'wrong', 'no', 'false', '👎'))
ORDER BY time, trace_id, span_id, name
