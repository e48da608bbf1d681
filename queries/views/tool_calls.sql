-- One row is one execution of a tool, with its arguments and its result.
--
-- Rule: see `tool_executions` for which spans and log records are one execution. `arguments` and `result` are as sent,
-- NULL once they have expired.
SELECT
    e.tenant, e.date, e.trace_id, e.span_id, e.parent_span_id, e.name, e.start_time, e.end_time, e.start_unix_nano,
    e.duration_ns, e.service, e.environment, e.release, e.team, e.conversation_id, e.user_id, e.agent_name, e.dialect,
    e.scope_name, e.tool_name, e.tool_call_id, e.tool_type, e.status, e.status_message, e.error_type, e.error_class,
    e.decision, e.decision_source, e.input_hash, e.output_hash, i.content AS arguments, o.content AS result,
    e.duplicate_spans
FROM tool_executions AS e
LEFT JOIN texts AS i ON i.tenant = e.tenant AND i.date = e.input_date AND i.hash = e.input_hash
LEFT JOIN texts AS o ON o.tenant = e.tenant AND o.date = e.output_date AND o.hash = e.output_hash
