-- title: Health of retrieval
-- question: How many documents do searches find, how well do they fit, and how long does it take (days in UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: service text = NULL | Only this service
-- Scores compare only within one retriever: some count distance, where less is better.
WITH searches AS (
    SELECT
        date, service, span_id,
        count(hash) AS documents,
        max(score) AS best_score,
        max(duration_ns) / 1e6 AS ms,
        coalesce(max(status) = 'error', false) AS failed
    FROM retrievals
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($service IS NULL OR service = $service)
        AND kind = 'retrieval'
    GROUP BY tenant, trace_id, span_id, date, service
)
SELECT
    date, service,
    count(*) AS searches,
    count(*) FILTER (WHERE failed) AS failed,
    count(*) FILTER (WHERE documents = 0 AND NOT failed) AS empty,
    round(1.0 * count(*) FILTER (WHERE documents = 0 AND NOT failed)
        / nullif(count(*) FILTER (WHERE NOT failed), 0), 3) AS empty_share,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY documents) FILTER (WHERE NOT failed) AS median_documents,
    round(avg(best_score), 3) AS mean_best_score,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY ms), 1) AS p95_ms
FROM searches
GROUP BY date, service
ORDER BY date, service
