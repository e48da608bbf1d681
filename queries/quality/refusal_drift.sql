-- title: Drift of refusals (heuristic)
-- question: Does a prompt refuse more often than it did (days in UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: prompt text = NULL | Only the prompt of this name
-- Refused: stopped by a content filter, or the answer opens with words of refusal or regret in English, German,
-- French or Spanish. Needs captured answers; a turn that only calls tools is no answer.
SELECT
    prompt_name, date,
    string_agg(DISTINCT prompt_version, ', ' ORDER BY prompt_version) AS versions,
    count(*) AS answers,
    count(*) FILTER (WHERE filtered OR refused) AS refusals,
    round(1.0 * count(*) FILTER (WHERE filtered OR refused) / count(*), 3) AS share,
    last_value(trace_id ORDER BY start_unix_nano) FILTER (WHERE filtered OR refused) AS example
FROM (
    SELECT *,
        coalesce(array_has(finish_reasons, 'content_filter'), false) OR coalesce(error_class = 'content_filter', false)
            AS filtered,
        coalesce(output_preview ~* ('^\W*('
            || 'sorry,|(i[''’]m|i am) (very |so )?(sorry|unable|not able)|i (can[''’]t|cannot|won[''’]t|will not) '
            || '|(es )?tut mir leid|(ich kann|leider kann ich) .{0,30}nicht'
            || '|(je suis )?désolée?|je ne peux pas'
            || '|lo siento|no puedo '
            || ')'), false) AS refused
    FROM llm_calls
) AS calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND ($prompt IS NULL OR prompt_name = $prompt)
    AND kind IN ('chat', 'completion')
    AND (filtered OR output_preview IS NOT NULL AND (status IS NULL OR status <> 'error'))
    AND NOT coalesce(array_has(finish_reasons, 'tool_calls'), false)
GROUP BY prompt_name, date
ORDER BY prompt_name, date
