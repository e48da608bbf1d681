-- title: Double instrumentation
-- question: Where do two instrumentations tell of the same model call?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- Tracewell counts such a call once. `repeated_tokens` are what adding up the spans would count too much. Log records
-- that an instrumentation writes beside its own spans are not meant.
WITH pairs AS (
    -- A span that was sent again is one.
    SELECT
        s.tenant, s.trace_id, s.span_id,
        d.call_trace_id, d.call_span_id,
        max(s.service) AS service,
        max(c.scope_name) AS scope_of_call,
        max(s.scope_name) AS scope_of_duplicate,
        max(coalesce(s.input_tokens, 0) + coalesce(s.output_tokens, 0)) AS tokens
    FROM call_spans AS d
    JOIN span_records AS s ON s.tenant = d.tenant AND s.trace_id = d.trace_id AND s.span_id = d.span_id
    JOIN span_records AS c ON c.tenant = d.tenant AND c.trace_id = d.call_trace_id AND c.span_id = d.call_span_id
    WHERE d.date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND s.start_time >= $since AND s.start_time < $until
        AND d.role = 'duplicate' AND NOT d.is_record
    GROUP BY s.tenant, s.trace_id, s.span_id, d.call_trace_id, d.call_span_id
)
SELECT
    service, scope_of_call, scope_of_duplicate,
    count(DISTINCT tenant || call_trace_id || call_span_id) AS calls,
    count(*) AS duplicate_spans,
    sum(tokens) AS repeated_tokens
FROM pairs
GROUP BY service, scope_of_call, scope_of_duplicate
ORDER BY duplicate_spans DESC, service, scope_of_call, scope_of_duplicate
LIMIT $most
