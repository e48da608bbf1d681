-- title: Users with bad experience (heuristic)
-- question: For which users did things go wrong, and in what way?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: slow_seconds double = 30 | A run that takes at least this long is slow
-- param: low_score double = 0.5 | A score below this is low
-- param: most bigint = 50 | At most this many rows
-- A run is bad when it failed, was slow, had an answer cut off or refused, or got a low score. A refusal is a stop by a
-- content filter, or an answer that opens with regret. Scores are of the run, of what is in it or of its responses, but
-- not of documents that it found.
WITH runs AS (
    SELECT tenant, trace_id, user_id, status = 'error' AS failed, duration_ns / 1e9 >= $slow_seconds AS slow
    FROM traces
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND user_id IS NOT NULL AND span_count > 0 AND NOT only_duplicates
),
answers AS (
    SELECT
        tenant, trace_id,
        bool_or(array_has(finish_reasons, 'length')) AS cut,
        bool_or(array_has(finish_reasons, 'content_filter')
            OR output_preview ~* '^\W*(sorry,|(i[''’]m|i am) (very |so )?(sorry|unable|not able))') AS refused
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) + INTERVAL '1 day'
    GROUP BY tenant, trace_id
),
said AS (
    SELECT tenant, trace_id, response_id, value
    FROM evaluations
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND superseded_at IS NULL AND target <> 'document'
),
judged AS (
    SELECT tenant, trace_id, bool_or(value < $low_score) AS scored_low
    FROM (
        SELECT tenant, trace_id, value FROM said WHERE trace_id IS NOT NULL
        UNION ALL
        SELECT c.tenant, c.trace_id, s.value
        FROM (SELECT tenant, response_id, value FROM said WHERE trace_id IS NULL AND response_id IS NOT NULL) AS s
        JOIN llm_calls AS c ON c.tenant = s.tenant AND c.response_id = s.response_id
        WHERE c.date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
            AND CAST($until AT TIME ZONE 'UTC' AS date) + INTERVAL '1 day'
    ) AS words
    GROUP BY tenant, trace_id
),
known AS (
    SELECT
        runs.tenant AS of_tenant, user_id,
        coalesce(failed, false) AS failed, slow, coalesce(cut, false) AS cut,
        coalesce(refused, false) AS refused, coalesce(scored_low, false) AS scored_low
    FROM runs
    LEFT JOIN answers ON answers.tenant = runs.tenant AND answers.trace_id = runs.trace_id
    LEFT JOIN judged ON judged.tenant = runs.tenant AND judged.trace_id = runs.trace_id
)
SELECT
    user_id,
    count(*) AS runs,
    count(*) FILTER (WHERE failed OR slow OR cut OR refused OR scored_low) AS bad_runs,
    round(1.0 * count(*) FILTER (WHERE failed OR slow OR cut OR refused OR scored_low) / count(*), 3) AS bad_share,
    count(*) FILTER (WHERE failed) AS failed,
    count(*) FILTER (WHERE slow) AS slow,
    count(*) FILTER (WHERE cut) AS cut,
    count(*) FILTER (WHERE refused) AS refused,
    count(*) FILTER (WHERE scored_low) AS scored_low
FROM known
GROUP BY of_tenant, user_id
HAVING bad_runs > 0
ORDER BY bad_runs DESC, bad_share DESC, user_id, of_tenant
LIMIT $most
