-- title: Validity of JSON answers
-- question: Where JSON was asked for, how often did valid JSON come back, and did it match the schema (days in UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: prompt text = NULL | Only the prompt of this name
-- Judged is the first choice, whole. One that is not kept is judged by its preview where that holds all of it, else
-- counted as `not_kept`. An answer in a Markdown fence is not valid, but near. `matching` are those of `with_schema`, the
-- answers to requests that carry a JSON schema, which it allows.
WITH calls AS (
    SELECT
        tenant, prompt_name, date, output_preview,
        coalesce(response_model, request_model) AS model,
        output_refs[1]['hash'] AS hash,
        request_params['response_format'] AS format,
        coalesce(array_has(finish_reasons, 'length'), false) AS cut
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND ($prompt IS NULL OR prompt_name = $prompt)
        AND request_params['response_format'] ~* 'json|schema|object'
        AND output_preview IS NOT NULL
        AND NOT coalesce(array_has(finish_reasons, 'tool_calls'), false)
        AND (status IS NULL OR status <> 'error')
),
kept AS (
    SELECT tenant, date, hash, message_text(max(content)) AS answer
    FROM contents
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) AND hash IN (SELECT hash FROM calls)
    GROUP BY tenant, date, hash
),
answers AS (
    SELECT
        prompt_name, calls.date, model, format, cut,
        coalesce(answer, CASE WHEN char_length(output_preview) < 256 THEN output_preview END) AS answer
    FROM calls
    LEFT JOIN kept ON kept.tenant = calls.tenant AND kept.date = calls.date AND kept.hash = calls.hash
),
judged AS (
    SELECT
        prompt_name, date, model, cut, answer IS NULL AS not_kept,
        json_valid(answer) AS valid,
        json_valid(regexp_replace(answer, '^\s*```(json)?(.*)```\s*$', '\2', 's')) AS valid_within,
        json_schema_valid(answer, format) AS matches
    FROM answers
)
SELECT
    prompt_name, date, model,
    count(*) AS answers,
    count(*) FILTER (WHERE not_kept) AS not_kept,
    count(*) FILTER (WHERE valid) AS valid,
    count(*) FILTER (WHERE NOT valid AND valid_within) AS in_fence,
    count(*) FILTER (WHERE NOT valid_within AND cut) AS cut,
    count(*) FILTER (WHERE NOT valid_within AND NOT cut) AS broken,
    round(1.0 * count(*) FILTER (WHERE valid) / nullif(count(valid), 0), 3) AS valid_share,
    count(matches) AS with_schema,
    count(*) FILTER (WHERE matches) AS matching,
    round(1.0 * count(*) FILTER (WHERE matches) / nullif(count(matches), 0), 3) AS matching_share
FROM judged
GROUP BY prompt_name, date, model
ORDER BY prompt_name, date, model
