-- title: Rare calls
-- question: Which calls ended, or were answered, as few of their prompt are?
-- param: since timestamptz = now() - INTERVAL '7 days' | Begun since
-- param: share double = 0.02 | A kind with a smaller share of its prompt's calls is rare
-- A kind is how a call ended: the model that answered, its finish reasons, and whether it failed.
SELECT
    trace_id, span_id, CAST(date AS int) AS day, prompt || ' ' || kind_of_end AS stratum,
    kind_of_end || ': ' || CAST(alike AS text) || ' of ' || CAST(calls AS text) || ' calls' AS reason
FROM (
    SELECT
        trace_id, span_id, date, prompt, kind_of_end,
        count(*) OVER (PARTITION BY prompt, kind_of_end) AS alike,
        count(*) OVER (PARTITION BY prompt) AS calls
    FROM (
        SELECT
            trace_id, span_id, date, coalesce(prompt_name, prompt_shape, '') AS prompt,
            coalesce(response_model, request_model, 'no model') || ' '
                || coalesce(array_to_string(finish_reasons, '+'), 'unsaid') || coalesce(' ' || error_class, '') AS kind_of_end
        FROM llm_calls
        WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND start_time >= $since AND trace_id IS NOT NULL
        AND is_trial IS NOT TRUE
            AND kind IN ('chat', 'completion')
    ) AS kinds
) AS counted
WHERE alike < calls * $share
ORDER BY stratum, trace_id, span_id
