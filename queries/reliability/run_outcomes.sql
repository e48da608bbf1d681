-- title: Outcomes of runs
-- question: How many runs failed, and how many met an error on their way?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Failed: the root says so, or the root is missing and some span failed. Met an error: any span failed.
SELECT
    service, root_name,
    count(*) AS runs,
    count(*) FILTER (WHERE status = 'error') AS failed,
    round(1.0 * count(*) FILTER (WHERE status = 'error') / count(*), 3) AS failed_share,
    count(*) FILTER (WHERE error_count > 0) AS met_an_error,
    round(1.0 * count(*) FILTER (WHERE error_count > 0) / count(*), 3) AS met_an_error_share
FROM traces
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND span_count > 0 AND NOT only_duplicates
GROUP BY service, root_name
ORDER BY met_an_error DESC, runs DESC, service, root_name
LIMIT $most
