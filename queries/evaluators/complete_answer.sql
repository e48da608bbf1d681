-- title: Complete answer
-- question: Is the answer there, and was it not cut off?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- Judged are calls that ended without error and say why they stopped. Empty: no text and no tool call.
SELECT trace_id, span_id, NOT (empty OR cut) AS value,
    CASE WHEN cut THEN 'cut at the token limit' WHEN empty THEN 'empty' END AS explanation
FROM (
    SELECT trace_id, span_id,
        array_has(finish_reasons, 'length') AS cut,
        coalesce(output_preview ~ '^\s*$', output_tokens = 0, false) AS empty
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND kind IN ('chat', 'completion') AND trace_id IS NOT NULL
        AND (status IS NULL OR status <> 'error')
        AND finish_reasons IS NOT NULL AND NOT array_has(finish_reasons, 'error')
) AS calls
ORDER BY trace_id, span_id
