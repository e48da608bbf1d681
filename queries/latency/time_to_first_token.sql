-- title: Time to the first token
-- question: How long do people wait until an answer begins, and how fast does it run then?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- A first token after the end of its call is no fact, and counted as `implausible`. Speed is the tokens of calls that
-- tell both, over the time after their first token.
SELECT
    provider,
    coalesce(response_model, request_model) AS model,
    count(*) AS streamed_calls,
    count(*) FILTER (WHERE plausible) AS calls_with_first_token,
    count(*) FILTER (WHERE NOT plausible) AS implausible,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ttft_ns / 1e6) FILTER (WHERE plausible), 1) AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY ttft_ns / 1e6) FILTER (WHERE plausible), 1) AS p95_ms,
    round(sum(output_tokens) FILTER (WHERE plausible)
        / nullif(sum((duration_ns - ttft_ns) / 1e9) FILTER (WHERE plausible AND output_tokens IS NOT NULL), 0), 1)
        AS output_tokens_per_second
FROM (
    SELECT *, ttft_ns <= duration_ns AS plausible
    FROM llm_calls
    WHERE streaming
) AS calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY provider, coalesce(response_model, request_model)
ORDER BY streamed_calls DESC, provider, model
