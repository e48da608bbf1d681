-- title: Error storms (heuristic)
-- question: When did the model calls of a service fail in numbers?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: least_errors bigint = 5 | Only windows with at least this many failed calls
-- param: least_share double = 0.2 | Only windows in which at least this share of the calls failed
-- param: most bigint = 50 | At most this many rows
-- A storm is a window of five minutes with that many errors and that share.
SELECT
    date_bin(INTERVAL '5 minutes', start_time) AS window_start,
    service,
    count(*) AS calls,
    count(*) FILTER (WHERE status = 'error') AS errors,
    round(1.0 * count(*) FILTER (WHERE status = 'error') / count(*), 3) AS share,
    string_agg(DISTINCT error_class, ', ' ORDER BY error_class) FILTER (WHERE status = 'error') AS error_classes,
    count(DISTINCT trace_id) FILTER (WHERE status = 'error') AS runs_hit
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
GROUP BY date_bin(INTERVAL '5 minutes', start_time), service
HAVING count(*) FILTER (WHERE status = 'error') >= $least_errors
    AND 1.0 * count(*) FILTER (WHERE status = 'error') / count(*) >= $least_share
ORDER BY errors DESC, window_start, service
LIMIT $most
