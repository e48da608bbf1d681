-- title: Finish reasons
-- question: Why do models stop, and how many answers are cut off (length)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Of the calls that did not fail; where there are several choices, the first.
SELECT
    model, prompt_name, finish_reason,
    calls,
    round(1.0 * calls / sum(calls) OVER (PARTITION BY model, prompt_name), 3) AS share
FROM (
    SELECT
        coalesce(response_model, request_model) AS model,
        prompt_name,
        coalesce(finish_reasons[1], 'not reported') AS finish_reason,
        count(*) AS calls
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND kind IN ('chat', 'completion') AND status IS DISTINCT FROM 'error'
    GROUP BY coalesce(response_model, request_model), prompt_name, coalesce(finish_reasons[1], 'not reported')
) AS counted
ORDER BY model, prompt_name, calls DESC, finish_reason
LIMIT $most
