-- title: Prompt versions compared
-- question: Did the new version of a prompt make answers slower, longer, cut off or failing?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: prompt text = NULL | Only the prompt of this name
-- param: most bigint = 50 | At most this many rows
-- All but `calls` and `failed_share` is of the calls that did not fail.
SELECT
    prompt_name, prompt_version,
    min(start_time) AS first_seen,
    count(*) AS calls,
    round(1.0 * count(*) FILTER (WHERE NOT succeeded) / count(*), 3) AS failed_share,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ns / 1e6) FILTER (WHERE succeeded), 1) AS p50_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns / 1e6) FILTER (WHERE succeeded), 1) AS p95_ms,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY input_tokens) FILTER (WHERE succeeded) AS median_input_tokens,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY output_tokens) FILTER (WHERE succeeded) AS median_output_tokens,
    round(1.0 * count(*) FILTER (WHERE succeeded AND array_has(finish_reasons, 'length'))
        / nullif(count(*) FILTER (WHERE succeeded), 0), 3) AS cut_share
FROM (
    SELECT *, status IS DISTINCT FROM 'error' AS succeeded
    FROM llm_calls
    WHERE kind IN ('chat', 'completion') AND prompt_name IS NOT NULL
) AS calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND ($prompt IS NULL OR prompt_name = $prompt)
GROUP BY prompt_name, prompt_version
ORDER BY prompt_name, first_seen, prompt_version
LIMIT $most
