-- title: Latency by model
-- question: How long do calls take, model by model, at the median and in the tail?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: service text = NULL | Only this service
-- Failed calls are counted apart: they are often very fast or very slow. A streamed call lasts until its end.
SELECT
    provider,
    coalesce(response_model, request_model) AS model,
    count(*) FILTER (WHERE succeeded) AS calls,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns / 1e6) FILTER (WHERE succeeded), 1) AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns / 1e6) FILTER (WHERE succeeded), 1) AS p95_ms,
    round(percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns / 1e6) FILTER (WHERE succeeded), 1) AS p99_ms,
    round(max(duration_ns / 1e6) FILTER (WHERE succeeded), 1) AS max_ms,
    count(*) FILTER (WHERE NOT succeeded) AS failed
FROM (
    SELECT *, status IS DISTINCT FROM 'error' AS succeeded
    FROM llm_calls
) AS calls
WHERE date BETWEEN CAST($since AS date) AND CAST($until AS date)
    AND start_time >= $since AND start_time < $until
    AND ($team IS NULL OR team = $team)
    AND ($service IS NULL OR service = $service)
    AND duration_ns >= 0
GROUP BY provider, coalesce(response_model, request_model)
ORDER BY calls DESC, provider, model
