-- title: Slow calls
-- question: Which calls took longest among those of their prompt?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: share double = 0.01 | The slowest share of each prompt's calls
SELECT
    trace_id, span_id, CAST(date AS int) AS day, prompt AS stratum,
    'took ' || CAST(duration_ns / 1000000 AS text) || ' ms, rank ' || CAST(place AS text) || ' of ' || CAST(calls AS text) AS reason
FROM (
    SELECT
        trace_id, span_id, date, duration_ns, coalesce(prompt_name, prompt_shape, '') AS prompt,
        row_number() OVER (PARTITION BY coalesce(prompt_name, prompt_shape, '') ORDER BY duration_ns DESC, span_id) AS place,
        count(*) OVER (PARTITION BY coalesce(prompt_name, prompt_shape, '')) AS calls
    FROM llm_calls
    WHERE date >= CAST($since AS date) AND start_time >= $since AND trace_id IS NOT NULL AND duration_ns IS NOT NULL
        AND kind IN ('chat', 'completion')
) AS ranked
WHERE place <= ceil(calls * $share)
ORDER BY stratum, place
