-- One row is one message of a model call, an agent or a step around them: what went in and what came out, in order.
--
-- Rule: messages are those of the span; where it carries none, those of its log records (`source` says which
-- attribute, event or body held them) in the order of their times, those of one time as they stood in their request.
-- `position` counts from 1 within a span and direction; the direction `system` is for the instructions where they are no
-- message of the input. `content` is the message as sent, NULL once it has expired. Of a span that was sent again the
-- longest version counts, and log records that are equal count once. A history that is sent again at each step is listed
-- again: equal `hash` is equal content. So are those of a call that two instrumentations saw, once for each of their
-- spans: `call_spans` names the second `duplicate`, and joined with `llm_calls` by tenant, trace and span those are
-- left that stand for calls. Session, user, team and prompt are those of the span, else of its model call (see
-- `llm_calls`), else of the run (see `run_facts`).
-- A lookup of traces whose spans were sent once leaves `repeated` out.
WITH repeated AS (
    SELECT tenant, date, trace_id, span_id, max(duration_ns) AS longest
    FROM spans
    GROUP BY tenant, date, trace_id, span_id
    HAVING count(*) > 1
),
told AS (
    SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, input_refs, output_refs,
        service, environment, conversation_id, user_id, team, prompt_name, prompt_version,
        CASE WHEN system_ref IS NOT NULL AND (input_refs IS NULL OR system_ref['hash'] <> input_refs[1]['hash'])
            THEN make_array(system_ref) END AS system_refs,
        system_ref IS NULL AS lacks_system
    FROM (
        SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind, input_refs, output_refs, system_ref,
            service, environment, conversation_id, user_id, team, prompt_name, prompt_version
        FROM spans AS s
        WHERE NOT EXISTS (
            SELECT 1
            FROM repeated AS r
            WHERE r.tenant = s.tenant AND r.date = s.date AND r.trace_id = s.trace_id AND r.span_id = s.span_id)
        UNION ALL
        -- Of equally long ones, one by what it says and not by when it came.
        SELECT
            tenant, date, trace_id, span_id,
            first_value(parent_span_id ORDER BY said) AS parent_span_id,
            first_value(start_time ORDER BY said) AS start_time,
            first_value(kind ORDER BY said) AS kind,
            first_value(input_refs ORDER BY said) AS input_refs,
            first_value(output_refs ORDER BY said) AS output_refs,
            first_value(system_ref ORDER BY said) AS system_ref,
            first_value(service ORDER BY said) AS service,
            first_value(environment ORDER BY said) AS environment,
            first_value(conversation_id ORDER BY said) AS conversation_id,
            first_value(user_id ORDER BY said) AS user_id,
            first_value(team ORDER BY said) AS team,
            first_value(prompt_name ORDER BY said) AS prompt_name,
            first_value(prompt_version ORDER BY said) AS prompt_version
        FROM (
            SELECT s.tenant, s.date, s.trace_id, s.span_id, s.parent_span_id, s.start_time, s.kind, s.input_refs,
                s.output_refs, s.system_ref, s.service, s.environment, s.conversation_id, s.user_id, s.team, s.prompt_name,
                s.prompt_version,
                tracewell_digest(s.parent_span_id, s.start_time, s.kind, s.input_refs, s.output_refs, s.system_ref, s.service,
                    s.environment, s.conversation_id, s.user_id, s.team, s.prompt_name, s.prompt_version) AS said
            FROM repeated AS r
            JOIN spans AS s ON s.tenant = r.tenant AND s.date = r.date AND s.trace_id = r.trace_id
                AND s.span_id = r.span_id AND s.duration_ns = r.longest
        ) AS longest
        GROUP BY tenant, date, trace_id, span_id
    ) AS each_once
)
SELECT
    m.tenant, m.date, m.trace_id, m.span_id, m.parent_span_id, m.start_time, m.kind, m.service, m.environment,
    coalesce(m.conversation_id, c.call_conversation_id, r.run_conversation_id) AS conversation_id,
    coalesce(m.user_id, c.call_user_id, r.run_user_id) AS user_id, coalesce(m.team, c.call_team, r.run_team) AS team,
    coalesce(m.prompt_name, c.call_prompt_name) AS prompt_name,
    coalesce(m.prompt_version, c.call_prompt_version) AS prompt_version,
    r.run_is_trial AS is_trial, m.direction, m.position, m.ref['role'] AS role, m.ref['hash'] AS hash, m.ref['bytes'] AS bytes,
    m.ref['source'] AS source, m.ref['form'] AS form, t.content
FROM run_facts AS r
RIGHT JOIN ((
    SELECT tenant, trace_id, span_id, conversation_id AS call_conversation_id, user_id AS call_user_id, team AS call_team,
        prompt_name AS call_prompt_name, prompt_version AS call_prompt_version
    FROM llm_calls
) AS c RIGHT JOIN (
    SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind,
        service, environment, conversation_id, user_id, team, prompt_name, prompt_version, direction,
        unnest(refs) AS ref, unnest(range(1, cardinality(refs)::bigint + 1)) AS position
    FROM (
        SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind,
            service, environment, conversation_id, user_id, team, prompt_name, prompt_version,
            unnest(make_array('input', 'output', 'system')) AS direction,
            unnest(make_array(input_refs, output_refs, system_refs)) AS refs
        FROM told
        WHERE kind NOT IN ('tool', 'retrieval', 'rerank', 'mcp', 'http')
    ) AS of_spans
    UNION ALL
    SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind,
        service, environment, conversation_id, user_id, team, prompt_name, prompt_version, direction, ref,
        row_number() OVER (
            PARTITION BY tenant, trace_id, span_id, start_time, direction
            ORDER BY time_unix_nano, observed, place, event_name, said, place_in_record)::bigint
    FROM (
        SELECT tenant, date, trace_id, span_id, parent_span_id, start_time, kind,
            service, environment, conversation_id, user_id, team, prompt_name, prompt_version, direction,
            time_unix_nano, observed, place, event_name, tracewell_digest(refs) AS said,
            unnest(refs) AS ref, unnest(range(1, cardinality(refs)::bigint + 1)) AS place_in_record
        FROM (
            SELECT s.tenant, l.date, s.trace_id, s.span_id, s.parent_span_id, s.start_time, s.kind,
                s.service, s.environment, s.conversation_id, s.user_id, s.team, s.prompt_name, s.prompt_version,
                l.direction, l.refs,
                l.time_unix_nano, l.observed, l.place, l.event_name
            FROM (
                SELECT tenant, date, trace_id, span_id, time_unix_nano, observed, place, event_name,
                    unnest(make_array('input', 'output', 'system')) AS direction,
                    unnest(make_array(input_refs, output_refs,
                        CASE WHEN system_ref IS NOT NULL THEN make_array(system_ref) END)) AS refs
                FROM (
                    SELECT tenant, date, trace_id, span_id, time_unix_nano, event_name, input_refs, output_refs,
                        system_ref, min(observed_unix_nano) AS observed, min(position) AS place
                    FROM logs
                    WHERE span_id IS NOT NULL
                        AND (input_refs IS NOT NULL OR output_refs IS NOT NULL OR system_ref IS NOT NULL)
                    GROUP BY tenant, date, trace_id, span_id, time_unix_nano, event_name, input_refs, output_refs,
                        system_ref, body, attributes
                ) AS records
            ) AS l
            JOIN (
                SELECT tenant, trace_id, span_id, parent_span_id, start_time, kind, lacks_input, lacks_output, lacks_system,
                    max(service) AS service, max(environment) AS environment, max(conversation_id) AS conversation_id,
                    max(user_id) AS user_id, max(team) AS team, max(prompt_name) AS prompt_name,
                    max(prompt_version) AS prompt_version
                FROM (SELECT *, input_refs IS NULL AS lacks_input, output_refs IS NULL AS lacks_output FROM told) AS lacking
                GROUP BY tenant, trace_id, span_id, parent_span_id, start_time, kind, lacks_input, lacks_output, lacks_system
            ) AS s ON s.tenant = l.tenant AND s.trace_id = l.trace_id AND s.span_id = l.span_id
            WHERE CASE l.direction WHEN 'input' THEN s.lacks_input WHEN 'output' THEN s.lacks_output ELSE s.lacks_system END
        ) AS of_logs
    ) AS listed
) AS m ON c.tenant = m.tenant AND c.trace_id = m.trace_id AND c.span_id = m.span_id)
    ON r.tenant = m.tenant AND r.trace_id = m.trace_id
LEFT JOIN texts AS t ON t.tenant = m.tenant AND t.date = m.date AND t.hash = m.ref['hash']
