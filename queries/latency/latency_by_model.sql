-- title: Latency by model
-- question: How long do calls take, model by model, at the median and in the tail?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: service text = NULL | Only this service
-- Of calls that did not fail: the others are often very fast or very slow. A streamed call lasts until its end.
SELECT
    provider,
    coalesce(response_model, request_model) AS model,
    count(*) AS calls,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns / 1e6), 1) AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns / 1e6), 1) AS p95_ms,
    round(percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns / 1e6), 1) AS p99_ms,
    round(max(duration_ns / 1e6), 1) AS max_ms
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND ($service IS NULL OR service = $service)
    AND duration_ns >= 0 AND (status IS NULL OR status <> 'error')
GROUP BY provider, coalesce(response_model, request_model)
ORDER BY calls DESC, provider, model
