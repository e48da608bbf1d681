-- title: Cost by day and model
-- question: How does spending move from day to day (UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- Amounts are exact sums in US dollars, shown to the millionth; `unpriced_calls` says how many are in none of them.
SELECT
    date, provider, model,
    count(*) AS calls,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
    round(sum(cost_usd), 6) AS cost_usd
FROM span_costs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY date, provider, model
ORDER BY date, provider, model
