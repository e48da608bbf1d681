-- title: Where runs spend their time
-- question: How much of the time of runs goes to models, to tools and to retrieval?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- Parts that run side by side count each, so that their shares may come to more than 1.
WITH runs AS (
    SELECT tenant, trace_id, service, duration_ns
    FROM traces
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND span_count > 0 AND NOT only_duplicates
),
parts AS (
    SELECT tenant, trace_id, 'model' AS part, duration_ns
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) + INTERVAL '1 day'
    UNION ALL
    SELECT tenant, trace_id, 'tool' AS part, duration_ns
    FROM tool_executions
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) + INTERVAL '1 day'
    UNION ALL
    SELECT tenant, trace_id, 'retrieval' AS part, duration_ns
    FROM retrievals
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) + INTERVAL '1 day'
        AND (position = 1 OR position IS NULL)
),
of_runs AS (
    SELECT
        tenant, trace_id,
        sum(duration_ns) FILTER (WHERE part = 'model') / 1e9 AS model_seconds,
        sum(duration_ns) FILTER (WHERE part = 'tool') / 1e9 AS tool_seconds,
        sum(duration_ns) FILTER (WHERE part = 'retrieval') / 1e9 AS retrieval_seconds
    FROM parts
    GROUP BY tenant, trace_id
)
SELECT
    runs.service,
    count(*) AS runs,
    round(sum(duration_ns / 1e9), 3) AS run_seconds,
    round(sum(model_seconds), 3) AS model_seconds,
    round(sum(tool_seconds), 3) AS tool_seconds,
    round(sum(retrieval_seconds), 3) AS retrieval_seconds,
    round(sum(model_seconds) / nullif(sum(duration_ns / 1e9), 0), 3) AS model_share,
    round(sum(tool_seconds) / nullif(sum(duration_ns / 1e9), 0), 3) AS tool_share,
    round(sum(retrieval_seconds) / nullif(sum(duration_ns / 1e9), 0), 3) AS retrieval_share
FROM runs
LEFT JOIN of_runs ON of_runs.tenant = runs.tenant AND of_runs.trace_id = runs.trace_id
GROUP BY runs.service
ORDER BY run_seconds DESC, runs.service
