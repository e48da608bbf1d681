-- One row is one message of a model call, an agent or a step around them: what went in and what came out, in order.
--
-- Rule: messages are those of the span; where it carries none, those of its log records (`source` says which
-- attribute, event or body held them). `position` counts from 1 within a span and direction; the direction `system`
-- is for the instructions where they are no message of the input. `content` is the message as sent, NULL once it has
-- expired. A history that is sent again at each step is listed again: equal `hash` is equal content.
SELECT
    tenant, date, trace_id, span_id, parent_span_id, start_time, kind, direction, position, role, hash, bytes, source, form,
    max(content) AS content
FROM (
    SELECT
        m.tenant, m.date, m.trace_id, m.span_id, m.parent_span_id, m.start_time, m.kind, m.direction, m.position,
        m.ref['role'] AS role, m.ref['hash'] AS hash, m.ref['bytes'] AS bytes, m.ref['source'] AS source,
        m.ref['form'] AS form, c.content
    FROM (
        SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, direction,
            unnest(refs) AS ref, unnest(range(1, cardinality(refs)::bigint + 1)) AS position
        FROM (
            SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, 'input' AS direction, input_refs AS refs
            FROM spans
            WHERE input_refs IS NOT NULL AND kind NOT IN ('tool', 'retrieval', 'rerank', 'mcp', 'http')
            UNION ALL
            SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, 'output', output_refs
            FROM spans
            WHERE output_refs IS NOT NULL AND kind NOT IN ('tool', 'retrieval', 'rerank', 'mcp', 'http')
            UNION ALL
            SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, 'system', make_array(system_ref)
            FROM spans
            WHERE system_ref IS NOT NULL AND (input_refs IS NULL OR system_ref['hash'] <> input_refs[1]['hash'])
        ) AS of_spans
        UNION ALL
        SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, direction, ref,
            row_number() OVER (PARTITION BY tenant, trace_id, span_id, direction ORDER BY time_unix_nano, seq, event_name, at)
        FROM (
            SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, direction, time_unix_nano, seq, event_name,
                unnest(refs) AS ref, unnest(range(1, cardinality(refs)::bigint + 1)) AS at
            FROM (
                SELECT s.tenant, l.date, s.trace_id, s.span_id, s.parent_span_id, s.start_time, s.kind, l.direction, l.refs,
                    l.time_unix_nano, l.seq, l.event_name
                FROM (
                    SELECT tenant, date, trace_id, span_id, time_unix_nano, seq, event_name, 'input' AS direction, input_refs AS refs
                    FROM logs
                    WHERE input_refs IS NOT NULL
                    UNION ALL
                    SELECT tenant, date, trace_id, span_id, time_unix_nano, seq, event_name, 'output', output_refs
                    FROM logs
                    WHERE output_refs IS NOT NULL
                    UNION ALL
                    SELECT tenant, date, trace_id, span_id, time_unix_nano, seq, event_name, 'system', make_array(system_ref)
                    FROM logs
                    WHERE system_ref IS NOT NULL
                ) AS l
                JOIN spans AS s ON s.tenant = l.tenant AND s.trace_id = l.trace_id AND s.span_id = l.span_id
                WHERE CASE l.direction WHEN 'input' THEN s.input_refs IS NULL WHEN 'output' THEN s.output_refs IS NULL
                    ELSE s.system_ref IS NULL END
            ) AS of_logs
        ) AS listed
    ) AS m
    LEFT JOIN contents AS c ON c.tenant = m.tenant AND c.date = m.date AND c.hash = m.ref['hash']
) AS found
GROUP BY tenant, date, trace_id, span_id, parent_span_id, start_time, kind, direction, position, role, hash, bytes, source, form
