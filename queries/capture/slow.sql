-- title: Slow calls
-- question: Which calls took longest among those of their prompt?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: share double = 0.01 | The slowest share of each prompt's calls
-- All calls are read for the bound alone; ranked are those near it. It is approximate, so it is set well below.
-- They are told apart by the prompt of `bounds`: by that of `calls` all calls would be sorted before they are met.
WITH calls AS (
    SELECT trace_id, span_id, date, duration_ns, coalesce(prompt_name, prompt_shape, '') AS prompt
    FROM llm_calls
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND trace_id IS NOT NULL
        AND is_trial IS NOT TRUE AND duration_ns IS NOT NULL
        AND kind IN ('chat', 'completion')
),
bounds AS (
    SELECT
        prompt, count(*) AS calls,
        0.98 * approx_percentile_cont(CAST(duration_ns AS double), greatest(1 - 2 * $share, 0)) AS bound
    FROM calls
    GROUP BY prompt
)
SELECT
    trace_id, span_id, CAST(date AS int) AS day, prompt AS stratum,
    'took ' || CAST(duration_ns / 1000000 AS text) || ' ms, rank ' || CAST(place AS text) || ' of ' || CAST(calls AS text) AS reason
FROM (
    SELECT
        c.*, b.calls, row_number() OVER (PARTITION BY b.prompt ORDER BY c.duration_ns DESC, c.span_id) AS place
    FROM bounds AS b
    JOIN calls AS c ON c.prompt = b.prompt
    WHERE c.duration_ns >= b.bound
) AS ranked
WHERE place <= ceil(calls * $share)
ORDER BY stratum, place
