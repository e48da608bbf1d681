-- title: Decisions on tool calls
-- question: What do people and rules allow agents to do, and what do they refuse?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- `decision_source` says who decided, in the words of the agent: a person (user_…), a setting, a hook.
SELECT
    service, tool_name, decision, decision_source, decisions,
    round(1.0 * decisions / sum(decisions) OVER (PARTITION BY service, tool_name), 3) AS share,
    sessions, last_time
FROM (
    SELECT
        service, tool_name, decision, decision_source,
        count(*) AS decisions,
        count(DISTINCT tenant || chr(31) || conversation_id) AS sessions,
        max(time) AS last_time
    FROM (
        -- A record that was sent again is one decision.
        SELECT DISTINCT tenant, service, conversation_id, tool_call_id, tool_name, decision, decision_source, time
        FROM logs
        WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
            AND time >= $since AND time < $until
            AND kind = 'human' AND decision IS NOT NULL
            AND NOT EXISTS (
                SELECT 1
                FROM trace_parts AS trial
                WHERE trial.tenant = logs.tenant AND trial.trace_id = logs.trace_id AND trial.is_trial
                    AND trial.date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) - INTERVAL '1 day'
                        AND CAST($until AT TIME ZONE 'UTC' AS date))
    ) AS once
    GROUP BY service, tool_name, decision, decision_source
) AS counted
ORDER BY service, tool_name, decisions DESC, decision, decision_source
LIMIT $most
