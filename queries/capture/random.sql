-- title: Calls at random
-- question: What does the ordinary traffic look like?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: most bigint = 1000 | At most this many calls
-- The baseline beside what is caught for a reason. Chance is a hash of the span's id, the same each time.
SELECT
    trace_id, span_id, CAST(date AS int) AS day, coalesce(prompt_name, prompt_shape, '') AS stratum, 'at random' AS reason
FROM llm_calls
WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND trace_id IS NOT NULL
    AND is_trial IS NOT TRUE AND kind IN ('chat', 'completion')
ORDER BY md5(span_id), span_id
LIMIT $most
