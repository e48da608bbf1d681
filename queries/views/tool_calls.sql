-- One row is one execution of a tool, with its arguments and its result.
--
-- Rule: see `tool_executions` for which spans and log records are one execution. `arguments` and `result` are as sent,
-- NULL once they have expired.
SELECT
    tenant, date, trace_id, span_id, parent_span_id, name, start_time, end_time, start_unix_nano, duration_ns,
    service, environment, release, team, conversation_id, user_id, agent_name, dialect, scope_name, tool_name,
    tool_call_id, tool_type, status, status_message, error_type, error_class, decision, decision_source, input_hash,
    output_hash, max(content) FILTER (WHERE side = 'input') AS arguments,
    max(content) FILTER (WHERE side = 'output') AS result, duplicate_spans
FROM (
    -- A row for the arguments and one for the result: contents may be stored more than once, and must not multiply.
    SELECT t.*, c.content
    FROM (
        SELECT *, unnest(make_array('input', 'output')) AS side,
            unnest(make_array(input_date, output_date)) AS ref_date,
            unnest(make_array(input_hash, output_hash)) AS ref_hash
        FROM tool_executions
    ) AS t
    LEFT JOIN contents AS c ON c.tenant = t.tenant AND c.date = t.ref_date AND c.hash = t.ref_hash
) AS found
GROUP BY
    tenant, date, trace_id, span_id, parent_span_id, name, start_time, end_time, start_unix_nano, duration_ns,
    service, environment, release, team, conversation_id, user_id, agent_name, dialect, scope_name, tool_name,
    tool_call_id, tool_type, status, status_message, error_type, error_class, decision, decision_source, input_hash,
    output_hash, duplicate_spans
