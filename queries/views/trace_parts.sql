-- One row is one trace and date: what its spans of that date tell of the run, and the model calls among them.
--
-- Rule: spans count once however often they were sent. What names the run comes from the root (`of_root` names these
-- facts), else from what all spans agree on (`disputed` names what they do not agree on). Tokens are those of
-- `llm_calls`, so that neither duplicates nor sums of wrapping spans count.
SELECT
    whole.tenant, whole.trace_id, whole.date, whole.start_time, whole.end_time, whole.start_unix_nano,
    whole.end_unix_nano, whole.has_root, whole.root_name, whole.root_kind, whole.root_status,
    whole.service, whole.environment, whole.release, whole.conversation_id, whole.user_id, whole.team,
    whole.workflow_name, whole.workflow_version, whole.of_root, whole.disputed, whole.span_count, whole.error_count,
    whole.retrieval_count, whole.is_trial,
    coalesce(calls.call_count, 0) AS call_count,
    coalesce(calls.calls_without_usage, 0) AS calls_without_usage,
    coalesce(copies.duplicate_count, 0) AS duplicate_count,
    calls.input_tokens, calls.output_tokens, calls.cache_read_tokens, calls.cache_write_tokens, calls.reasoning_tokens,
    calls.models, calls.prompts,
    coalesce(tools.tool_count, 0) AS tool_count,
    coalesce(tools.tool_error_count, 0) AS tool_error_count,
    tools.tools,
    coalesce(whole.root_input_preview, calls.input_preview) AS input_preview,
    coalesce(whole.root_output_preview, calls.output_preview) AS output_preview
FROM (
    SELECT
        tenant, trace_id, date,
        min(start_time) AS start_time, max(end_time) AS end_time,
        min(start_unix_nano) AS start_unix_nano, max(start_unix_nano + coalesce(duration_ns, 0)) AS end_unix_nano,
        bool_or(is_root) AS has_root,
        first_value(name ORDER BY start_unix_nano, span_id, shorter, said) FILTER (WHERE is_root) AS root_name,
        first_value(kind ORDER BY start_unix_nano, span_id, shorter, said) FILTER (WHERE is_root) AS root_kind,
        first_value(status ORDER BY start_unix_nano, span_id, shorter, said) FILTER (WHERE is_root) AS root_status,
        coalesce(max(service) FILTER (WHERE is_root), CASE WHEN min(service) = max(service) THEN min(service) END) AS service,
        coalesce(max(environment) FILTER (WHERE is_root), CASE WHEN min(environment) = max(environment) THEN min(environment) END) AS environment,
        coalesce(max(release) FILTER (WHERE is_root), CASE WHEN min(release) = max(release) THEN min(release) END) AS release,
        coalesce(max(conversation_id) FILTER (WHERE is_root), CASE WHEN min(conversation_id) = max(conversation_id) THEN min(conversation_id) END) AS conversation_id,
        coalesce(max(user_id) FILTER (WHERE is_root), CASE WHEN min(user_id) = max(user_id) THEN min(user_id) END) AS user_id,
        coalesce(max(team) FILTER (WHERE is_root), CASE WHEN min(team) = max(team) THEN min(team) END) AS team,
        coalesce(max(workflow_name) FILTER (WHERE is_root), CASE WHEN min(workflow_name) = max(workflow_name) THEN min(workflow_name) END) AS workflow_name,
        coalesce(max(workflow_version) FILTER (WHERE is_root), CASE WHEN min(workflow_version) = max(workflow_version) THEN min(workflow_version) END) AS workflow_version,
        first_value(input_preview ORDER BY start_unix_nano, span_id, shorter, said)
            FILTER (WHERE is_root AND input_preview IS NOT NULL) AS root_input_preview,
        first_value(output_preview ORDER BY start_unix_nano, span_id, shorter, said)
            FILTER (WHERE is_root AND output_preview IS NOT NULL) AS root_output_preview,
        array_remove_all(make_array(
            CASE WHEN max(service) FILTER (WHERE is_root) IS NOT NULL THEN 'service' ELSE '' END,
            CASE WHEN max(environment) FILTER (WHERE is_root) IS NOT NULL THEN 'environment' ELSE '' END,
            CASE WHEN max(release) FILTER (WHERE is_root) IS NOT NULL THEN 'release' ELSE '' END,
            CASE WHEN max(conversation_id) FILTER (WHERE is_root) IS NOT NULL THEN 'conversation_id' ELSE '' END,
            CASE WHEN max(user_id) FILTER (WHERE is_root) IS NOT NULL THEN 'user_id' ELSE '' END,
            CASE WHEN max(team) FILTER (WHERE is_root) IS NOT NULL THEN 'team' ELSE '' END,
            CASE WHEN max(workflow_name) FILTER (WHERE is_root) IS NOT NULL THEN 'workflow_name' ELSE '' END,
            CASE WHEN max(workflow_version) FILTER (WHERE is_root) IS NOT NULL THEN 'workflow_version' ELSE '' END
        ), '') AS of_root,
        array_remove_all(make_array(
            CASE WHEN max(service) FILTER (WHERE is_root) IS NULL AND min(service) <> max(service) THEN 'service' ELSE '' END,
            CASE WHEN max(environment) FILTER (WHERE is_root) IS NULL AND min(environment) <> max(environment) THEN 'environment' ELSE '' END,
            CASE WHEN max(release) FILTER (WHERE is_root) IS NULL AND min(release) <> max(release) THEN 'release' ELSE '' END,
            CASE WHEN max(conversation_id) FILTER (WHERE is_root) IS NULL AND min(conversation_id) <> max(conversation_id) THEN 'conversation_id' ELSE '' END,
            CASE WHEN max(user_id) FILTER (WHERE is_root) IS NULL AND min(user_id) <> max(user_id) THEN 'user_id' ELSE '' END,
            CASE WHEN max(team) FILTER (WHERE is_root) IS NULL AND min(team) <> max(team) THEN 'team' ELSE '' END,
            CASE WHEN max(workflow_name) FILTER (WHERE is_root) IS NULL AND min(workflow_name) <> max(workflow_name) THEN 'workflow_name' ELSE '' END,
            CASE WHEN max(workflow_version) FILTER (WHERE is_root) IS NULL AND min(workflow_version) <> max(workflow_version) THEN 'workflow_version' ELSE '' END
        ), '') AS disputed,
        count(DISTINCT span_id) FILTER (WHERE NOT is_record) AS span_count,
        count(DISTINCT span_id) FILTER (WHERE status = 'error' AND NOT is_record) AS error_count,
        count(DISTINCT span_id) FILTER (WHERE kind = 'retrieval') AS retrieval_count,
        bool_or(coalesce(array_has(flags, 'trial'), false)) AS is_trial
    FROM (
        SELECT *, parent_span_id IS NULL AND NOT is_record AS is_root, -duration_ns AS shorter,
            tracewell_digest(name, kind, status, input_preview, output_preview) AS said
        FROM span_records
        WHERE trace_id <> span_id AND NOT coalesce(array_has(flags, 'pending_span'), false)
    ) AS s
    GROUP BY tenant, trace_id, date
) AS whole
LEFT JOIN (
    SELECT
        tenant, trace_id, date,
        count(*) AS call_count,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL) AS calls_without_usage,
        array_sort(array_agg(DISTINCT coalesce(response_model, request_model))
            FILTER (WHERE coalesce(response_model, request_model) IS NOT NULL)) AS models,
        array_sort(array_agg(DISTINCT concat_ws('@', prompt_name, prompt_version))
            FILTER (WHERE prompt_name IS NOT NULL)) AS prompts,
        first_value(input_preview ORDER BY start_unix_nano, span_id)
            FILTER (WHERE input_preview IS NOT NULL AND kind IN ('chat', 'completion')) AS input_preview,
        last_value(output_preview ORDER BY start_unix_nano, span_id)
            FILTER (WHERE output_preview IS NOT NULL AND kind IN ('chat', 'completion')) AS output_preview
    FROM llm_calls
    GROUP BY tenant, trace_id, date
) AS calls ON calls.tenant = whole.tenant AND calls.trace_id = whole.trace_id AND calls.date = whole.date
LEFT JOIN (
    SELECT
        tenant, trace_id, date,
        count(*) AS tool_count,
        count(*) FILTER (WHERE status = 'error') AS tool_error_count,
        array_sort(array_agg(DISTINCT tool_name) FILTER (WHERE tool_name IS NOT NULL)) AS tools
    FROM tool_executions
    GROUP BY tenant, trace_id, date
) AS tools ON tools.tenant = whole.tenant AND tools.trace_id = whole.trace_id AND tools.date = whole.date
LEFT JOIN (
    SELECT tenant, trace_id, date, count(*) AS duplicate_count
    FROM call_spans
    WHERE role = 'duplicate' AND call_trace_id <> trace_id AND NOT is_record
    GROUP BY tenant, trace_id, date
) AS copies ON copies.tenant = whole.tenant AND copies.trace_id = whole.trace_id AND copies.date = whole.date
