-- title: Dear calls
-- question: Which calls cost most among those of their prompt?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: share double = 0.01 | The dearest share of each prompt's calls
SELECT
    trace_id, span_id, CAST(date AS int) AS day, prompt AS stratum,
    'costs ' || CAST(CAST(cost_usd AS DECIMAL(38, 6)) AS text) || ' USD, rank ' || CAST(place AS text) || ' of '
        || CAST(calls AS text) AS reason
FROM (
    SELECT
        trace_id, span_id, date, cost_usd, coalesce(prompt_name, prompt_shape, '') AS prompt,
        row_number() OVER (PARTITION BY coalesce(prompt_name, prompt_shape, '') ORDER BY cost_usd DESC, span_id) AS place,
        count(*) OVER (PARTITION BY coalesce(prompt_name, prompt_shape, '')) AS calls
    FROM span_costs
    WHERE date >= CAST($since AS date) AND start_time >= $since AND trace_id IS NOT NULL AND cost_usd IS NOT NULL
        AND kind IN ('chat', 'completion')
) AS ranked
WHERE place <= ceil(calls * $share)
ORDER BY stratum, place
