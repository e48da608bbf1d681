-- title: Scores by prompt
-- question: How are the answers of each prompt version judged?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- The last word of each judge on each answer. Scores of whole runs and sessions have no prompt. Trials of the week before
-- are known as such.
WITH last_words AS (
    SELECT tenant, target, trace_id, span_id, name, source, value, label
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
)
SELECT
    name, source, target, prompt_name, prompt_version,
    count(*) AS scores,
    round(avg(value), 3) AS mean,
    min(value) AS lowest,
    max(value) AS highest,
    string_agg(DISTINCT label, ', ' ORDER BY label) AS labels
FROM last_words AS s
LEFT JOIN calls ON calls.tenant = s.tenant AND calls.trace_id = s.trace_id AND calls.span_id = s.span_id
GROUP BY name, source, target, prompt_name, prompt_version
ORDER BY name, source, target, prompt_name, prompt_version
LIMIT $most
