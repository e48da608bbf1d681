-- One row is one execution of a tool, with its arguments and its result.
--
-- Rule: see `tool_executions` for which spans and log records are one execution. Session, user, team and workflow are
-- those of the execution, else of its run (see `run_facts`). `arguments` and `result` are as sent, NULL once they have
-- expired.
SELECT
    e.tenant, e.date, e.trace_id, e.span_id, e.parent_span_id, e.name, e.start_time, e.end_time, e.start_unix_nano,
    e.duration_ns, e.service, e.environment, e.release, coalesce(e.team, r.run_team) AS team,
    coalesce(e.conversation_id, r.run_conversation_id) AS conversation_id, coalesce(e.user_id, r.run_user_id) AS user_id,
    e.agent_name, r.run_workflow_name AS workflow_name,
    r.run_workflow_version AS workflow_version, e.dialect, e.scope_name, e.tool_name, e.tool_call_id, e.tool_type,
    e.status, e.status_message, e.error_type, e.error_class, e.decision, e.decision_source, e.input_hash, e.output_hash,
    i.content AS arguments, o.content AS result, e.duplicate_spans, r.run_is_trial AS is_trial
FROM run_facts AS r
RIGHT JOIN tool_executions AS e ON r.tenant = e.tenant AND r.trace_id = e.trace_id
LEFT JOIN texts AS i ON i.tenant = e.tenant AND i.date = e.input_date AND i.hash = e.input_hash
LEFT JOIN texts AS o ON o.tenant = e.tenant AND o.date = e.output_date AND o.hash = e.output_hash
