-- title: Not refused (heuristic)
-- question: Did the model answer, and not refuse to?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- Refused: stopped by a content filter, or the answer opens with words of refusal or regret in English, German, French
-- or Spanish. A turn that only calls tools is no answer.
SELECT
    trace_id, span_id, NOT (filtered OR refused) AS value,
    CASE WHEN filtered THEN 'stopped by a content filter' WHEN refused THEN output_preview END AS explanation
FROM (
    SELECT trace_id, span_id, output_preview,
        coalesce(array_has(finish_reasons, 'content_filter'), false) OR coalesce(error_class = 'content_filter', false)
            AS filtered,
        coalesce(output_preview ~* ('^\W*('
            || 'sorry,|(i[''’]m|i am) (very |so )?(sorry|unable|not able)|i (can[''’]t|cannot|won[''’]t|will not) '
            || '|(es )?tut mir leid|(ich kann|leider kann ich) .{0,30}nicht'
            || '|(je suis )?désolée?|je ne peux pas'
            || '|lo siento|no puedo '
            || ')'), false) AS refused,
        output_preview IS NOT NULL AND (status IS NULL OR status <> 'error') AS answered
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND kind IN ('chat', 'completion') AND trace_id IS NOT NULL
        AND NOT coalesce(array_has(finish_reasons, 'tool_calls'), false)
) AS calls
WHERE filtered OR answered
ORDER BY trace_id, span_id
