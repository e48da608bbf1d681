-- title: Odd rows
-- question: Which spans contradict themselves, were cut off or could not be read?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: service text = NULL | Only this service
-- param: most bigint = 50 | At most this many rows
-- By date alone, which of a span whose start is not believed (time_not_believed) is the day of its arrival.
SELECT
    service, dialect, scope_name, flag,
    count(DISTINCT tenant || trace_id || span_id) AS spans,
    count(DISTINCT trace_id) AS runs,
    max(date) AS last_date,
    max(trace_id) AS example
FROM (
    SELECT *, unnest(array_concat(coalesce(flags, make_array()), coalesce(usage_flags, make_array()))) AS flag
    FROM spans
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND ($service IS NULL OR service = $service)
) AS flagged
-- That a span is a trial is not odd.
WHERE flag <> 'trial'
GROUP BY service, dialect, scope_name, flag
ORDER BY spans DESC, service, dialect, scope_name, flag
LIMIT $most
