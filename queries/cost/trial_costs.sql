-- title: Cost of trials
-- question: What do replays and test harnesses spend, which the other queries leave out?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- Days are in UTC. With those of `cost_by_day` these are all calls: what an invoice is about.
SELECT
    date, provider, model,
    count(*) AS calls,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
    round(sum(cost_usd), 6) AS cost_usd
FROM span_costs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial
    AND ($team IS NULL OR team = $team)
GROUP BY date, provider, model
ORDER BY date, provider, model
