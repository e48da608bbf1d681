-- title: Late data
-- question: How long after their end do spans arrive, and which services send late?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- A span that was sent again counts when it first came.
SELECT
    service,
    count(*) AS spans,
    count(*) FILTER (WHERE came < ended + INTERVAL '1 minute') AS within_a_minute,
    count(*) FILTER (WHERE came >= ended + INTERVAL '1 minute' AND came < ended + INTERVAL '1 hour') AS within_an_hour,
    count(*) FILTER (WHERE came >= ended + INTERVAL '1 hour' AND came < ended + INTERVAL '1 day') AS within_a_day,
    count(*) FILTER (WHERE came >= ended + INTERVAL '1 day') AS later,
    round(1.0 * count(*) FILTER (WHERE came >= ended + INTERVAL '1 hour') / count(*), 3) AS share_over_an_hour
FROM (
    SELECT service, min(received_at) AS came, max(end_time) AS ended
    FROM spans
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
    GROUP BY tenant, trace_id, span_id, service
) AS arrivals
GROUP BY service
ORDER BY later DESC, within_a_day DESC, spans DESC, service
LIMIT $most
