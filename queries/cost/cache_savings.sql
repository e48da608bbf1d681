-- title: What caching saves
-- question: How much less do calls cost because the provider's cache was used, its writes included?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Saved is against the same call with all its input at the rate of input; below zero where writes cost more than reads
-- saved. Calls without a price count in none of the sums.
SELECT
    provider, model, prompt_name,
    count(cost_usd) AS priced_calls,
    round(sum(cost_usd), 6) AS cost_usd,
    round(sum(uncached_cost_usd), 6) AS uncached_cost_usd,
    round(sum(uncached_cost_usd - cost_usd), 6) AS saved_usd,
    round(sum(uncached_cost_usd - cost_usd)::double / nullif(sum(uncached_cost_usd), 0)::double, 3) AS saved_share
FROM span_costs
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND cost_usd IS NOT NULL
GROUP BY provider, model, prompt_name
ORDER BY saved_usd DESC, provider, model, prompt_name
LIMIT $most
