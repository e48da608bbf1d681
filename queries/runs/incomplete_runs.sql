-- title: Incomplete runs
-- question: Which runs are not told in full, so that their story may mislead?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: service text = NULL | Only this service
-- param: most bigint = 50 | At most this many rows
-- A missing parent is often a caller that does not export its spans.
WITH told AS (
    SELECT
        tenant, trace_id, span_id, parent_span_id, service, start_time,
        coalesce(array_has(flags, 'truncated') OR array_has(flags, 'unparsable'), false) AS cut,
        coalesce(dropped_attributes, 0) + coalesce(dropped_events, 0) + coalesce(dropped_links, 0) > 0 AS dropped
    FROM spans
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND ($service IS NULL OR service = $service)
),
known AS (
    SELECT DISTINCT tenant, trace_id, span_id
    FROM spans
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) - INTERVAL '1 day'
        AND CAST($until AT TIME ZONE 'UTC' AS date) + INTERVAL '1 day'
)
SELECT
    told.trace_id,
    min(start_time) AS first_span,
    string_agg(DISTINCT service, ', ' ORDER BY service) AS services,
    count(DISTINCT told.span_id) AS spans,
    count(DISTINCT told.parent_span_id) FILTER (WHERE told.parent_span_id IS NOT NULL AND known.span_id IS NULL)
        AS missing_parents,
    count(DISTINCT told.span_id) FILTER (WHERE cut) AS cut_or_unreadable,
    count(DISTINCT told.span_id) FILTER (WHERE dropped) AS dropped_by_sdk
FROM told
LEFT JOIN known
    ON known.tenant = told.tenant AND known.trace_id = told.trace_id AND known.span_id = told.parent_span_id
GROUP BY told.tenant, told.trace_id
HAVING missing_parents + cut_or_unreadable + dropped_by_sdk > 0
ORDER BY missing_parents DESC, first_span, trace_id
LIMIT $most
