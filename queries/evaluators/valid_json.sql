-- title: Valid JSON
-- question: Where JSON was asked for, did valid JSON come back?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- The first choice of each call whose response format asks for JSON. An answer in a Markdown fence is not valid.
-- A text may be stored more than once.
SELECT DISTINCT
    trace_id, span_id, valid AS value,
    CASE
        WHEN valid THEN NULL
        WHEN coalesce(array_has(finish_reasons, 'length'), false) THEN 'the answer was cut at the token limit'
        WHEN answer ~ '^\s*```' THEN 'the answer is in a Markdown fence'
        ELSE 'the answer is not JSON'
    END AS explanation
FROM (
    SELECT call.trace_id, call.span_id, call.finish_reasons, message_text(c.content) AS answer,
        json_valid(message_text(c.content)) AS valid
    FROM llm_calls AS call
    INNER JOIN contents AS c
        ON c.tenant = call.tenant AND c.date = call.date AND c.hash = call.output_refs[1]['hash']
    WHERE call.date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND call.start_time >= $since AND call.start_time < $until AND call.trace_id IS NOT NULL
        AND call.request_params['response_format'] ~* 'json|schema|object'
        AND NOT coalesce(array_has(call.finish_reasons, 'tool_calls'), false)
        AND (call.status IS NULL OR call.status <> 'error')
) AS answers
WHERE valid IS NOT NULL
ORDER BY trace_id, span_id
