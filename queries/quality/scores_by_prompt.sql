-- title: Scores by prompt
-- question: How are the answers of each prompt version judged?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- The last word of each judge on each answer; a score that names a response alone is of the call that got it. Scores of
-- whole runs and sessions have no prompt. Trials of the week before are known as such.
WITH last_words AS (
    SELECT
        tenant, target, trace_id, span_id, name, source, value, label,
        CASE WHEN span_id IS NULL THEN response_id END AS response_id
    FROM evaluations
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND time >= $since AND time < $until
        AND superseded_at IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM trace_parts AS trial
            WHERE trial.tenant = evaluations.tenant AND trial.trace_id = evaluations.trace_id AND trial.is_trial
                AND trial.date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) - INTERVAL '7 days'
                    AND CAST($until AT TIME ZONE 'UTC' AS date))
),
calls AS (
    SELECT DISTINCT tenant, trace_id, span_id, prompt_name, prompt_version
    FROM call_spans
),
answers AS (
    SELECT
        c.tenant, c.response_id,
        first_value(c.prompt_name ORDER BY c.start_unix_nano, c.span_id) AS answer_prompt,
        first_value(c.prompt_version ORDER BY c.start_unix_nano, c.span_id) AS answer_version,
        bool_or(c.is_trial) AS answer_of_trial
    FROM (
        SELECT tenant, response_id FROM last_words WHERE response_id IS NOT NULL GROUP BY tenant, response_id
    ) AS named
    JOIN llm_calls AS c ON c.tenant = named.tenant AND c.response_id = named.response_id
    GROUP BY c.tenant, c.response_id
),
said AS (
    SELECT
        s.name, s.source, s.target, s.value, s.label,
        coalesce(c.prompt_name, a.answer_prompt) AS prompt_name,
        coalesce(c.prompt_version, a.answer_version) AS prompt_version
    FROM last_words AS s
    LEFT JOIN calls AS c ON c.tenant = s.tenant AND c.trace_id = s.trace_id AND c.span_id = s.span_id
    LEFT JOIN answers AS a ON a.tenant = s.tenant AND a.response_id = s.response_id
    WHERE a.answer_of_trial IS NOT TRUE
)
SELECT
    name, source, target, prompt_name, prompt_version,
    count(*) AS scores,
    round(avg(value), 3) AS mean,
    min(value) AS lowest,
    max(value) AS highest,
    string_agg(DISTINCT label, ', ' ORDER BY label) AS labels
FROM said
GROUP BY name, source, target, prompt_name, prompt_version
ORDER BY name, source, target, prompt_name, prompt_version
LIMIT $most
