-- title: Dear calls
-- question: Which calls cost most among those of their prompt?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: share double = 0.01 | The dearest share of each prompt's calls
-- All calls are read for the bound alone; ranked are those near it. It is approximate, so it is set well below.
-- They are told apart by the prompt of `bounds`: by that of `calls` all calls would be sorted before they are met.
WITH calls AS (
    SELECT trace_id, span_id, date, cost_usd, coalesce(prompt_name, prompt_shape, '') AS prompt
    FROM span_costs
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND trace_id IS NOT NULL
        AND is_trial IS NOT TRUE
        AND kind IN ('chat', 'completion')
),
bounds AS (
    SELECT
        prompt, count(cost_usd) AS calls,
        0.98 * approx_percentile_cont(CAST(cost_usd AS double), greatest(1 - 2 * $share, 0)) AS bound
    FROM calls
    GROUP BY prompt
)
SELECT
    trace_id, span_id, CAST(date AS int) AS day, prompt AS stratum,
    'costs ' || CAST(CAST(cost_usd AS DECIMAL(38, 6)) AS text) || ' USD, rank ' || CAST(place AS text) || ' of '
        || CAST(calls AS text) AS reason
FROM (
    SELECT
        c.*, b.calls, row_number() OVER (PARTITION BY b.prompt ORDER BY c.cost_usd DESC, c.span_id) AS place
    FROM bounds AS b
    JOIN calls AS c ON c.prompt = b.prompt
    WHERE c.cost_usd >= b.bound
) AS ranked
WHERE place <= ceil(calls * $share)
ORDER BY stratum, place
