-- title: Answer matches its schema
-- question: Where a JSON schema was asked for, does the answer match it?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- The first choice of each call that was sent a schema. Schemas that are none are not judged. A text may be stored more
-- than once.
SELECT DISTINCT trace_id, span_id, matches AS value,
    CASE WHEN NOT matches THEN 'the answer does not match the schema that was sent with the request' END AS explanation
FROM (
    SELECT call.trace_id, call.span_id,
        json_schema_valid(message_text(c.content), call.request_params['response_format']) AS matches
    FROM llm_calls AS call
    INNER JOIN contents AS c
        ON c.tenant = call.tenant AND c.date = call.date AND c.hash = call.output_refs[1]['hash']
    WHERE call.date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND call.start_time >= $since AND call.start_time < $until AND call.trace_id IS NOT NULL
        AND call.request_params['response_format'] LIKE '%{%'
        AND NOT coalesce(array_has(call.finish_reasons, 'tool_calls'), false)
        AND (call.status IS NULL OR call.status <> 'error')
) AS answers
WHERE matches IS NOT NULL
ORDER BY trace_id, span_id
