-- title: Steps of agents
-- question: How many model calls do runs take, and which took the most?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- An agent within a run counts by itself.
SELECT
    service, agent_name,
    count(*) AS runs,
    round(percentile_cont(0.5) WITHIN GROUP (ORDER BY steps), 1) AS p50_steps,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY steps), 1) AS p95_steps,
    max(steps) AS most_steps,
    first_value(trace_id ORDER BY steps DESC, trace_id) AS run_with_most
FROM (
    SELECT trace_id, service, agent_name, count(*) AS steps
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND kind IN ('chat', 'completion') AND trace_id IS NOT NULL
    GROUP BY tenant, trace_id, service, agent_name
) AS runs
GROUP BY service, agent_name
ORDER BY most_steps DESC, runs DESC, service, agent_name
LIMIT $most
