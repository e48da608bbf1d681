-- title: Reported against computed cost
-- question: Where do applications report another cost than the prices give?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: least double = 0.05 | A call differs when the two are apart by more than this share of the larger
-- param: most bigint = 50 | At most this many rows
-- Sums are over the calls that have both.
SELECT
    service, dialect, provider, model,
    count(*) AS calls_with_both,
    count(*) FILTER (WHERE abs(cost_difference_usd) > $least * greatest(abs(cost_usd), abs(reported_cost_usd))) AS calls_that_differ,
    round(sum(cost_usd), 6) AS cost_usd,
    round(sum(reported_cost_usd), 6) AS reported_cost_usd,
    round(sum(cost_difference_usd), 6) AS cost_difference_usd
FROM span_costs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND cost_difference_usd IS NOT NULL
GROUP BY service, dialect, provider, model
ORDER BY abs(cost_difference_usd) DESC, service, dialect, provider, model
LIMIT $most
