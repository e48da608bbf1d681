-- One row is one trace: a run as its spans tell it, with the model calls in it.
--
-- Rule: spans count once however often they were sent. What names the run comes from the root, which may be missing,
-- else from what all spans agree on. Tokens are those of `llm_calls`, so that neither duplicates nor sums of
-- wrapping spans count. A trace that holds nothing but duplicates of other traces' calls is flagged, not left out.
SELECT
    whole.tenant, whole.trace_id, whole.date, whole.start_time, whole.end_time,
    whole.end_ns - whole.start_unix_nano AS duration_ns,
    whole.root_name, whole.root_kind, whole.missing_root,
    whole.service, whole.environment, whole.release, whole.conversation_id, whole.user_id, whole.team, whole.workflow_name,
    whole.span_count, whole.error_count,
    coalesce(calls.call_count, 0) AS call_count,
    calls.input_tokens, calls.output_tokens, calls.cache_read_tokens, calls.cache_write_tokens, calls.reasoning_tokens,
    coalesce(calls.calls_without_usage, 0) AS calls_without_usage,
    calls.models,
    CASE WHEN missing_root AND error_count > 0 THEN 'error' ELSE root_status END AS status,
    whole.span_count > 0 AND whole.span_count = coalesce(copies.duplicate_count, 0) AS only_duplicates
FROM (
    SELECT
        tenant, trace_id,
        min(date) AS date, min(start_time) AS start_time, max(end_time) AS end_time,
        min(start_unix_nano) AS start_unix_nano, max(start_unix_nano + duration_ns) AS end_ns,
        first_value(name ORDER BY start_unix_nano, span_id, shorter) FILTER (WHERE is_root) AS root_name,
        first_value(kind ORDER BY start_unix_nano, span_id, shorter) FILTER (WHERE is_root) AS root_kind,
        first_value(status ORDER BY start_unix_nano, span_id, shorter) FILTER (WHERE is_root) AS root_status,
        NOT bool_or(is_root) AS missing_root,
        coalesce(max(service) FILTER (WHERE is_root), CASE WHEN min(service) = max(service) THEN min(service) END) AS service,
        coalesce(max(environment) FILTER (WHERE is_root), CASE WHEN min(environment) = max(environment) THEN min(environment) END) AS environment,
        coalesce(max(release) FILTER (WHERE is_root), CASE WHEN min(release) = max(release) THEN min(release) END) AS release,
        coalesce(max(conversation_id) FILTER (WHERE is_root), CASE WHEN min(conversation_id) = max(conversation_id) THEN min(conversation_id) END) AS conversation_id,
        coalesce(max(user_id) FILTER (WHERE is_root), CASE WHEN min(user_id) = max(user_id) THEN min(user_id) END) AS user_id,
        coalesce(max(team) FILTER (WHERE is_root), CASE WHEN min(team) = max(team) THEN min(team) END) AS team,
        coalesce(max(workflow_name) FILTER (WHERE is_root), CASE WHEN min(workflow_name) = max(workflow_name) THEN min(workflow_name) END) AS workflow_name,
        count(DISTINCT span_id) AS span_count,
        count(DISTINCT CASE WHEN status = 'error' THEN span_id END) AS error_count
    FROM (
        SELECT *, parent_span_id IS NULL AS is_root, -duration_ns AS shorter
        FROM spans
        WHERE NOT coalesce(array_has(flags, 'pending_span'), false)
    ) AS s
    GROUP BY tenant, trace_id
) AS whole
LEFT JOIN (
    SELECT
        tenant, trace_id,
        count(*) AS call_count,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL) AS calls_without_usage,
        array_sort(array_agg(DISTINCT coalesce(response_model, request_model))
            FILTER (WHERE coalesce(response_model, request_model) IS NOT NULL)) AS models
    FROM llm_calls
    GROUP BY tenant, trace_id
) AS calls ON calls.tenant = whole.tenant AND calls.trace_id = whole.trace_id
LEFT JOIN (
    SELECT tenant, trace_id, count(*) AS duplicate_count
    FROM call_spans
    WHERE role = 'duplicate' AND call_trace_id <> trace_id
    GROUP BY tenant, trace_id
) AS copies ON copies.tenant = whole.tenant AND copies.trace_id = whole.trace_id
