-- title: Sessions by length
-- question: Which conversations go on longest, and how much do they use?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Of the runs that began in the period. A trace that only log records tell of is no run; its calls count.
SELECT
    conversation_id,
    max(user_id) AS user_id,
    count(*) FILTER (WHERE span_count > 0) AS runs,
    sum(call_count) AS calls,
    sum(error_count) AS errors,
    min(start_time) AS first_time,
    max(end_time) AS last_time,
    round(extract(epoch FROM max(end_time) - min(start_time)) / 3600, 2) AS hours,
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens
FROM traces
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND is_trial IS NOT TRUE
    AND ($team IS NULL OR team = $team)
    AND conversation_id IS NOT NULL AND NOT only_duplicates
GROUP BY tenant, conversation_id
ORDER BY runs DESC, calls DESC, conversation_id, tenant
LIMIT $most
