-- title: Cost by team, prompt and model
-- question: Who spends how much on what?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Amounts are exact sums in US dollars, shown to the millionth; `unpriced_calls` says how many are in none of them.
SELECT
    team, prompt_name, prompt_version, model,
    count(*) AS calls,
    count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
    round(sum(cost_usd), 6) AS cost_usd,
    round(sum(cost_usd) / nullif(count(cost_usd), 0), 6) AS cost_per_priced_call_usd
FROM span_costs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
GROUP BY team, prompt_name, prompt_version, model
ORDER BY cost_usd DESC NULLS LAST, team, prompt_name, prompt_version, model
LIMIT $most
