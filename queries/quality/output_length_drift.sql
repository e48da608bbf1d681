-- title: Drift of output length
-- question: Do the answers of a prompt become longer or shorter from day to day (UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: prompt text = NULL | Only the prompt of this name
-- Of answers that report their tokens; a turn that only calls tools is no answer. `change` is against the median of
-- the day before on which the prompt answered. Mind `answers`: a median of few says little.
WITH days AS (
    SELECT
        prompt_name, date,
        string_agg(DISTINCT prompt_version, ', ' ORDER BY prompt_version) AS versions,
        count(*) AS answers,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY output_tokens) AS median_tokens,
        round(avg(output_tokens), 1) AS mean_tokens
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND ($prompt IS NULL OR prompt_name = $prompt)
        AND kind IN ('chat', 'completion') AND output_tokens IS NOT NULL
        AND NOT coalesce(array_has(finish_reasons, 'tool_calls'), false)
        AND (status IS NULL OR status <> 'error')
    GROUP BY prompt_name, date
)
SELECT
    prompt_name, date, versions, answers, median_tokens, mean_tokens,
    round(median_tokens / nullif(lag(median_tokens) OVER (PARTITION BY prompt_name ORDER BY date), 0) - 1, 3) AS change
FROM days
ORDER BY prompt_name, date
