-- title: Cache hit rate
-- question: What share of the input is read from the provider's cache, and where is caching left unused?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Only calls that report both counts are in the shares: a count that is not reported is not known to be zero.
SELECT
    provider,
    coalesce(response_model, request_model) AS model,
    prompt_name,
    count(*) AS calls,
    count(*) FILTER (WHERE reports) AS calls_reporting,
    count(*) FILTER (WHERE reports AND cache_read_tokens > 0) AS calls_with_hit,
    sum(input_tokens) FILTER (WHERE reports) AS input_tokens,
    sum(cache_read_tokens) FILTER (WHERE reports) AS cache_read_tokens,
    sum(cache_write_tokens) FILTER (WHERE reports) AS cache_write_tokens,
    round(1.0 * sum(cache_read_tokens) FILTER (WHERE reports)
        / nullif(sum(input_tokens) FILTER (WHERE reports), 0), 3) AS read_share
FROM (
    SELECT *, input_tokens IS NOT NULL AND cache_read_tokens IS NOT NULL AS reports
    FROM llm_calls
    WHERE kind IN ('chat', 'completion')
) AS calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY provider, coalesce(response_model, request_model), prompt_name
ORDER BY input_tokens DESC NULLS LAST, provider, model, prompt_name
LIMIT $most
