-- title: Tokens by day and model
-- question: How does the use of tokens move from day to day (UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
SELECT
    date,
    coalesce(response_model, request_model) AS model,
    count(*) AS calls,
    count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL) AS calls_without_usage,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY date, coalesce(response_model, request_model)
ORDER BY date, model
