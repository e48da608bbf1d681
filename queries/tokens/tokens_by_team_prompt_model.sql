-- title: Tokens by team, prompt and model
-- question: Who used how many tokens, and how many of them came from a cache?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Sums are over the calls that report a count; `calls_without_usage` says how many tell nothing.
SELECT
    team, prompt_name, prompt_version,
    coalesce(response_model, request_model) AS model,
    count(*) AS calls,
    count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL) AS calls_without_usage,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0) AS known_tokens
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY team, prompt_name, prompt_version, coalesce(response_model, request_model)
ORDER BY known_tokens DESC, team, prompt_name, prompt_version, model
LIMIT $most
