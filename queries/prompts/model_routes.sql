-- title: Models and routes
-- question: When did the model, its provider or its parameters change?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: prompt text = NULL | Only the prompt of this name
-- param: most bigint = 50 | At most this many rows
-- One row is one route of a prompt: its `first_seen` after the start of the period is a change. Models served are
-- those that the provider says answered.
SELECT
    service, prompt_name, provider, request_model,
    string_agg(DISTINCT response_model, ', ' ORDER BY response_model) AS served,
    temperature, top_p, max_tokens, seed,
    request_params['reasoning_effort'] AS reasoning_effort,
    count(*) AS calls,
    min(start_time) AS first_seen,
    max(start_time) AS last_seen
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND ($prompt IS NULL OR prompt_name = $prompt)
GROUP BY service, prompt_name, provider, request_model, temperature, top_p, max_tokens, seed,
    request_params['reasoning_effort']
ORDER BY service, prompt_name, first_seen, request_model
LIMIT $most
