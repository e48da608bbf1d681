-- title: Time to the first token
-- question: How long do people wait until an answer begins, and how fast does it run then?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- Speed counts the tokens of calls that tell both, over the time after the first token.
SELECT
    provider,
    coalesce(response_model, request_model) AS model,
    count(*) AS streamed_calls,
    count(ttft_ns) AS calls_with_first_token,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ttft_ns / 1e6), 1) AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY ttft_ns / 1e6), 1) AS p95_ms,
    round(sum(output_tokens) FILTER (WHERE duration_ns > ttft_ns)
        / sum((duration_ns - ttft_ns) / 1e9) FILTER (WHERE duration_ns > ttft_ns AND output_tokens IS NOT NULL), 1)
        AS output_tokens_per_second
FROM llm_calls
WHERE date BETWEEN CAST($since AS date) AND CAST($until AS date)
    AND start_time >= $since AND start_time < $until
    AND ($team IS NULL OR team = $team)
    AND streaming
GROUP BY provider, coalesce(response_model, request_model)
ORDER BY streamed_calls DESC, provider, model
