-- title: Tokens by user
-- question: Which users use the most tokens?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
SELECT
    user_id,
    count(DISTINCT trace_id) AS runs,
    count(*) AS calls,
    count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL) AS calls_without_usage,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0) AS known_tokens,
    max(start_time) AS last_seen
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY tenant, user_id
ORDER BY known_tokens DESC, user_id, tenant
LIMIT $most
