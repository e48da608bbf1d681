-- title: Validity of JSON answers
-- question: Where JSON was asked for, how often did valid JSON come back (days in UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: prompt text = NULL | Only the prompt of this name
-- Judged are answers that fit into the preview (256 characters); the others are counted as `too_long`. An answer in a
-- Markdown fence is not valid, but near. Whether it obeys the schema is not looked at.
WITH answers AS (
    SELECT
        prompt_name, date,
        coalesce(response_model, request_model) AS model,
        char_length(output_preview) >= 256 AS too_long,
        tracewell_member('{"it":' || output_preview || '}', 'it') IS NOT NULL AS valid,
        tracewell_member('{"it":' || regexp_replace(
            output_preview, '^\s*```(json)?(.*)```\s*$', '\2', 's') || '}', 'it') IS NOT NULL AS valid_within,
        coalesce(array_has(finish_reasons, 'length'), false) AS cut
    FROM llm_calls
    WHERE date BETWEEN CAST($since AS date) AND CAST($until AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND ($prompt IS NULL OR prompt_name = $prompt)
        AND request_params['response_format'] ~* 'json|schema|object'
        AND output_preview IS NOT NULL
        AND NOT coalesce(array_has(finish_reasons, 'tool_calls'), false)
        AND (status IS NULL OR status <> 'error')
)
SELECT
    prompt_name, date, model,
    count(*) AS answers,
    count(*) FILTER (WHERE too_long) AS too_long,
    count(*) FILTER (WHERE NOT too_long AND valid) AS valid,
    count(*) FILTER (WHERE NOT too_long AND NOT valid AND valid_within) AS in_fence,
    count(*) FILTER (WHERE NOT too_long AND NOT valid_within AND cut) AS cut,
    count(*) FILTER (WHERE NOT too_long AND NOT valid_within AND NOT cut) AS broken,
    round(1.0 * count(*) FILTER (WHERE NOT too_long AND valid)
        / nullif(count(*) FILTER (WHERE NOT too_long), 0), 3) AS valid_share
FROM answers
GROUP BY prompt_name, date, model
ORDER BY prompt_name, date, model
