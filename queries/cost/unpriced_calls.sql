-- title: Unpriced calls
-- question: Which calls have no cost, and why?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- The share is of all calls of the period. A failed call seldom reports usage; most providers do not charge for it.
SELECT
    unpriced_reason, provider, model,
    count(*) AS calls,
    count(*) FILTER (WHERE status = 'error') AS of_which_failed,
    round(1.0 * count(*) / max(all_calls), 3) AS share
FROM (
    SELECT
        provider, model, status, cost_usd, unpriced_reason, count(*) OVER () AS all_calls
    FROM span_costs
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
) AS calls
WHERE cost_usd IS NULL
GROUP BY unpriced_reason, provider, model
ORDER BY calls DESC, unpriced_reason, provider, model
LIMIT $most
