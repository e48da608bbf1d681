-- title: Context growth
-- question: In which runs does the input grow the most from one model call to the next?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: least_steps bigint = 2 | Only runs with at least this many calls that report their input
-- param: most bigint = 50 | At most this many rows
-- The agents of one run have a context each.
SELECT
    trace_id, service, agent_name,
    count(*) AS steps,
    first_value(input_tokens ORDER BY start_unix_nano, span_id) AS first_input,
    last_value(input_tokens ORDER BY start_unix_nano, span_id) AS last_input,
    max(input_tokens) AS largest_input,
    sum(input_tokens) AS input_tokens,
    round(1.0 * (last_value(input_tokens ORDER BY start_unix_nano, span_id)
        - first_value(input_tokens ORDER BY start_unix_nano, span_id)) / nullif(count(*) - 1, 0), 1) AS growth_per_step
FROM llm_calls
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND kind IN ('chat', 'completion') AND input_tokens IS NOT NULL AND trace_id IS NOT NULL
GROUP BY tenant, trace_id, service, agent_name
HAVING count(*) >= $least_steps
ORDER BY last_input - first_input DESC, trace_id, agent_name, tenant
LIMIT $most
