-- One row is one execution of a tool, without the texts of its arguments and its result (`tool_calls` has them).
--
-- Rule: spans of kind tool, each once, and log records of coding agents that stand for one. Spans that name one
-- `tool_call_id` in a trace are one execution, and so are nested spans of one tool with nothing of a model or an agent
-- between them, such as an agent's span, the MCP client's and the MCP server's; the outermost stands for it, the others
-- fill what it lacks. A log record joins the span that names its `tool_call_id` at its time in its service; without
-- one, the records of a conversation that name it are one.
WITH RECURSIVE path AS (
    SELECT tenant, trace_id, span_id, span_id AS ancestor_id, parent_span_id AS next_id, kind AS ancestor_kind,
        tool_name, tool_name AS ancestor_tool, tool_call_id, tool_call_id AS ancestor_call_id, 0 AS distance
    FROM span_records
    WHERE kind = 'tool'
    UNION
    SELECT path.tenant, path.trace_id, path.span_id, above.span_id, above.parent_span_id, above.kind,
        path.tool_name, above.tool_name, path.tool_call_id, above.tool_call_id, path.distance + 1
    FROM path
    JOIN spans AS above
        ON above.tenant = path.tenant AND above.trace_id = path.trace_id AND above.span_id = path.next_id
    WHERE path.distance < 16 AND path.next_id <> path.span_id AND above.kind IN ('tool', 'mcp', 'http', 'other')
        AND (above.kind <> 'tool' OR above.tool_name = path.tool_name)
),
outermost AS (
    SELECT tenant, trace_id, span_id,
        first_value(ancestor_id ORDER BY distance DESC, ancestor_id) AS outer_id,
        first_value(ancestor_call_id ORDER BY distance DESC, ancestor_call_id) FILTER (WHERE ancestor_call_id IS NOT NULL) AS call_id,
        max(distance) AS depth
    FROM path
    WHERE ancestor_kind = 'tool' AND ancestor_tool = tool_name
        AND (ancestor_call_id IS NULL OR tool_call_id IS NULL OR ancestor_call_id = tool_call_id)
    GROUP BY tenant, trace_id, span_id
),
-- A record often names no trace.
placed AS (
    SELECT r.tenant, r.trace_id, r.span_id, min(s.trace_id) AS run
    FROM span_records AS r
    JOIN spans AS s ON s.tenant = r.tenant AND s.service = r.service AND s.tool_call_id = r.tool_call_id
    WHERE r.is_record AND r.kind = 'tool' AND s.kind = 'tool'
        AND r.start_unix_nano <= s.start_unix_nano + s.duration_ns + 1000000000
        AND s.start_unix_nano <= r.start_unix_nano + coalesce(r.duration_ns, 0) + 1000000000
    GROUP BY r.tenant, r.trace_id, r.span_id
),
decisions AS (
    SELECT tenant, conversation_id, tool_call_id,
        first_value(decision ORDER BY time_unix_nano DESC, decision, decision_source) AS other_decision,
        first_value(decision_source ORDER BY time_unix_nano DESC, decision, decision_source) AS other_source
    FROM logs
    WHERE kind = 'human' AND decision IS NOT NULL
    GROUP BY tenant, conversation_id, tool_call_id
)
SELECT
    one.tenant, date, trace_id, span_id, parent_span_id, name, start_time, end_time, start_unix_nano, duration_ns, service,
    environment, release, team, one.conversation_id, user_id, agent_name, dialect, scope_name, tool_name,
    one.tool_call_id, tool_type, status, status_message, error_type, error_class,
    coalesce(own_decision, other_decision) AS decision, coalesce(own_source, other_source) AS decision_source,
    input_hash, input_date, output_hash, output_date, duplicate_spans
FROM (
    SELECT
        tenant,
        first_value(nullif(trace_id, span_id) ORDER BY is_record, depth, shorter, said) AS trace_id,
        first_value(span_id ORDER BY is_record, depth, shorter, said) AS span_id,
        first_value(date ORDER BY is_record, depth, shorter, said) AS date,
        first_value(parent_span_id ORDER BY is_record, depth, shorter, said) AS parent_span_id,
        first_value(name ORDER BY is_record, depth, shorter, said) AS name,
        first_value(start_time ORDER BY is_record, depth, shorter, said) AS start_time,
        first_value(end_time ORDER BY is_record, depth, shorter, said) AS end_time,
        first_value(start_unix_nano ORDER BY is_record, depth, shorter, said) AS start_unix_nano,
        first_value(duration_ns ORDER BY is_record, depth, shorter, said) AS duration_ns,
        first_value(service ORDER BY is_record, depth, shorter, said) FILTER (WHERE service IS NOT NULL) AS service,
        first_value(environment ORDER BY is_record, depth, shorter, said) FILTER (WHERE environment IS NOT NULL) AS environment,
        first_value(release ORDER BY is_record, depth, shorter, said) FILTER (WHERE release IS NOT NULL) AS release,
        first_value(team ORDER BY is_record, depth, shorter, said) FILTER (WHERE team IS NOT NULL) AS team,
        first_value(conversation_id ORDER BY is_record, depth, shorter, said) FILTER (WHERE conversation_id IS NOT NULL) AS conversation_id,
        first_value(user_id ORDER BY is_record, depth, shorter, said) FILTER (WHERE user_id IS NOT NULL) AS user_id,
        first_value(agent_name ORDER BY is_record, depth, shorter, said) FILTER (WHERE agent_name IS NOT NULL) AS agent_name,
        first_value(dialect ORDER BY is_record, depth, shorter, said) AS dialect,
        first_value(scope_name ORDER BY is_record, depth, shorter, said) AS scope_name,
        first_value(tool_name ORDER BY is_record, depth, shorter, said) FILTER (WHERE tool_name IS NOT NULL) AS tool_name,
        first_value(tool_call_id ORDER BY is_record, depth, shorter, said) FILTER (WHERE tool_call_id IS NOT NULL) AS tool_call_id,
        first_value(tool_type ORDER BY is_record, depth, shorter, said) FILTER (WHERE tool_type IS NOT NULL) AS tool_type,
        first_value(status ORDER BY is_record, depth, shorter, said) FILTER (WHERE status IS NOT NULL) AS status,
        first_value(status_message ORDER BY is_record, depth, shorter, said) FILTER (WHERE status_message IS NOT NULL) AS status_message,
        first_value(error_type ORDER BY is_record, depth, shorter, said) FILTER (WHERE error_type IS NOT NULL) AS error_type,
        first_value(error_class ORDER BY is_record, depth, shorter, said) FILTER (WHERE error_class IS NOT NULL) AS error_class,
        first_value(decision ORDER BY is_record, depth, shorter, said) FILTER (WHERE decision IS NOT NULL) AS own_decision,
        first_value(decision_source ORDER BY is_record, depth, shorter, said) FILTER (WHERE decision_source IS NOT NULL) AS own_source,
        first_value(input_hash ORDER BY is_record, depth, shorter, said) FILTER (WHERE input_hash IS NOT NULL) AS input_hash,
        first_value(output_hash ORDER BY is_record, depth, shorter, said) FILTER (WHERE output_hash IS NOT NULL) AS output_hash,
        -- Contents are kept under the date of the span that carried them.
        first_value(date ORDER BY is_record, depth, shorter, said) FILTER (WHERE input_hash IS NOT NULL) AS input_date,
        first_value(date ORDER BY is_record, depth, shorter, said) FILTER (WHERE output_hash IS NOT NULL) AS output_date,
        count(DISTINCT span_id) - 1 AS duplicate_spans
    FROM (
        SELECT s.*, s.input_refs[1]['hash'] AS input_hash, s.output_refs[1]['hash'] AS output_hash,
            -s.duration_ns AS shorter, t.depth,
            -- Where lengths are equal: an order that is not that of arrival.
            tracewell_digest(s.trace_id, s.span_id, s.date, s.start_unix_nano, s.parent_span_id, s.name, s.status,
                s.status_message, s.scope_name, s.attributes, s.resource_attributes, s.input_refs, s.output_refs,
                s.events, s.mapping_version) AS said,
            coalesce(t.call_id, t.outer_id, s.tool_call_id, s.span_id) AS execution,
            coalesce(p.run, CASE WHEN s.trace_id = s.span_id AND s.tool_call_id IS NOT NULL THEN s.conversation_id END,
                s.trace_id) AS run
        FROM span_records AS s
        LEFT JOIN outermost AS t ON t.tenant = s.tenant AND t.trace_id = s.trace_id AND t.span_id = s.span_id
        LEFT JOIN placed AS p ON p.tenant = s.tenant AND p.trace_id = s.trace_id AND p.span_id = s.span_id
        WHERE s.kind = 'tool'
    ) AS s
    GROUP BY tenant, run, execution
) AS one
LEFT JOIN decisions AS d
    ON d.tenant = one.tenant AND d.conversation_id = one.conversation_id AND d.tool_call_id = one.tool_call_id
