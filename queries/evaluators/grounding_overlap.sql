-- title: Overlap of the answer with what was retrieved (heuristic)
-- question: What part of the answer's words stands in the documents that the run had retrieved?
-- param: since timestamptz = now() - INTERVAL '1 day' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- The distinct words of at least four letters in the last answer of a run that retrieved documents. Words in common are
-- no proof, and none in common no refutation: a translation has few. A text may be stored more than once.
WITH documents AS (
    SELECT tenant, trace_id, string_agg(text, ' ') AS found
    FROM retrievals
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) + INTERVAL '1 day'
        AND text IS NOT NULL
    GROUP BY tenant, trace_id
),
answers AS (
    SELECT tenant, trace_id, last_value(output_refs[1]['hash'] ORDER BY start_unix_nano) AS hash,
        last_value(date ORDER BY start_unix_nano) AS date,
        last_value(span_id ORDER BY start_unix_nano) AS span_id
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND kind IN ('chat', 'completion') AND output_refs IS NOT NULL
        AND NOT coalesce(array_has(finish_reasons, 'tool_calls'), false)
    GROUP BY tenant, trace_id
)
SELECT DISTINCT a.trace_id, a.span_id, round(word_overlap(message_text(c.content), d.found), 3) AS value
FROM answers AS a
INNER JOIN documents AS d ON d.tenant = a.tenant AND d.trace_id = a.trace_id
INNER JOIN contents AS c ON c.tenant = a.tenant AND c.date = a.date AND c.hash = a.hash
WHERE word_overlap(message_text(c.content), d.found) IS NOT NULL
ORDER BY trace_id, span_id
