-- One row is one trace: a run as its spans tell it, with the model calls in it.
--
-- Rule: spans count once however often they were sent. What names the run comes from the root, which may be missing;
-- then from the first span that knows it. Tokens are those of `llm_calls`, so that neither duplicates nor sums of
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
        first_value(service ORDER BY is_root DESC, start_unix_nano, span_id, shorter) FILTER (WHERE service IS NOT NULL) AS service,
        first_value(environment ORDER BY is_root DESC, start_unix_nano, span_id, shorter)
            FILTER (WHERE environment IS NOT NULL) AS environment,
        first_value(release ORDER BY is_root DESC, start_unix_nano, span_id, shorter) FILTER (WHERE release IS NOT NULL) AS release,
        first_value(conversation_id ORDER BY is_root DESC, start_unix_nano, span_id, shorter)
            FILTER (WHERE conversation_id IS NOT NULL) AS conversation_id,
        first_value(user_id ORDER BY is_root DESC, start_unix_nano, span_id, shorter) FILTER (WHERE user_id IS NOT NULL) AS user_id,
        first_value(team ORDER BY is_root DESC, start_unix_nano, span_id, shorter) FILTER (WHERE team IS NOT NULL) AS team,
        first_value(workflow_name ORDER BY is_root DESC, start_unix_nano, span_id, shorter)
            FILTER (WHERE workflow_name IS NOT NULL) AS workflow_name,
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
