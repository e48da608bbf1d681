-- One row is one trace: a run as its spans tell it, with the model calls in it.
--
-- Rule: the parts of the run on its dates (see `trace_parts`), put together. What names the run comes from the root,
-- which may be missing, else from what all spans agree on. A trace that only log records tell of has no span and no
-- root. One that holds nothing but duplicates of other traces' calls is flagged, not left out. Where a query asks for
-- dates, the parts of a run count that lie within a week of them; so do they where it asks for the newest runs of a
-- filter that few of them pass.
SELECT
    whole.tenant, whole.trace_id, date, start_time, end_time, end_unix_nano - start_unix_nano AS duration_ns,
    root_name, root_kind, missing_root, service, environment, release, conversation_id, user_id, team, workflow_name,
    workflow_version, span_count, error_count, call_count, tool_count, tool_error_count, retrieval_count,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, calls_without_usage,
    models, prompts, tools, input_preview, output_preview, is_trial,
    CASE WHEN missing_root AND error_count > 0 THEN 'error' ELSE root_status END AS status,
    span_count > 0 AND span_count = duplicate_count AS only_duplicates,
    costs.cost_usd, coalesce(costs.unpriced_calls, 0) AS unpriced_calls, costs.reported_cost_usd
FROM (
    SELECT
        tenant, trace_id,
        min(date) AS date, min(start_time) AS start_time, max(end_time) AS end_time,
        min(start_unix_nano) AS start_unix_nano, max(end_unix_nano) AS end_unix_nano,
        min_by(root_name, start_unix_nano) FILTER (WHERE has_root) AS root_name,
        min_by(root_kind, start_unix_nano) FILTER (WHERE has_root) AS root_kind,
        min_by(root_status, start_unix_nano) FILTER (WHERE has_root) AS root_status,
        NOT bool_or(has_root) AS missing_root,
        coalesce(max(service) FILTER (WHERE array_has(of_root, 'service')), CASE WHEN NOT bool_or(array_has(disputed, 'service')) AND min(service) = max(service) THEN min(service) END) AS service,
        coalesce(max(environment) FILTER (WHERE array_has(of_root, 'environment')), CASE WHEN NOT bool_or(array_has(disputed, 'environment')) AND min(environment) = max(environment) THEN min(environment) END) AS environment,
        coalesce(max(release) FILTER (WHERE array_has(of_root, 'release')), CASE WHEN NOT bool_or(array_has(disputed, 'release')) AND min(release) = max(release) THEN min(release) END) AS release,
        coalesce(max(conversation_id) FILTER (WHERE array_has(of_root, 'conversation_id')), CASE WHEN NOT bool_or(array_has(disputed, 'conversation_id')) AND min(conversation_id) = max(conversation_id) THEN min(conversation_id) END) AS conversation_id,
        coalesce(max(user_id) FILTER (WHERE array_has(of_root, 'user_id')), CASE WHEN NOT bool_or(array_has(disputed, 'user_id')) AND min(user_id) = max(user_id) THEN min(user_id) END) AS user_id,
        coalesce(max(team) FILTER (WHERE array_has(of_root, 'team')), CASE WHEN NOT bool_or(array_has(disputed, 'team')) AND min(team) = max(team) THEN min(team) END) AS team,
        coalesce(max(workflow_name) FILTER (WHERE array_has(of_root, 'workflow_name')), CASE WHEN NOT bool_or(array_has(disputed, 'workflow_name')) AND min(workflow_name) = max(workflow_name) THEN min(workflow_name) END) AS workflow_name,
        coalesce(max(workflow_version) FILTER (WHERE array_has(of_root, 'workflow_version')), CASE WHEN NOT bool_or(array_has(disputed, 'workflow_version')) AND min(workflow_version) = max(workflow_version) THEN min(workflow_version) END) AS workflow_version,
        sum(span_count) AS span_count, sum(error_count) AS error_count, sum(call_count) AS call_count,
        sum(calls_without_usage) AS calls_without_usage, sum(duplicate_count) AS duplicate_count,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
        sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
        sum(reasoning_tokens) AS reasoning_tokens,
        sum(tool_count) AS tool_count, sum(tool_error_count) AS tool_error_count,
        sum(retrieval_count) AS retrieval_count,
        coalesce(bool_or(is_trial), false) AS is_trial,
        array_sort(array_distinct(flatten(array_agg(models) FILTER (WHERE models IS NOT NULL)))) AS models,
        array_sort(array_distinct(flatten(array_agg(prompts) FILTER (WHERE prompts IS NOT NULL)))) AS prompts,
        array_sort(array_distinct(flatten(array_agg(tools) FILTER (WHERE tools IS NOT NULL)))) AS tools,
        coalesce(
            min_by(input_preview, start_unix_nano) FILTER (WHERE has_root AND input_preview IS NOT NULL),
            min_by(input_preview, start_unix_nano) FILTER (WHERE input_preview IS NOT NULL)
        ) AS input_preview,
        coalesce(
            max_by(output_preview, start_unix_nano) FILTER (WHERE has_root AND output_preview IS NOT NULL),
            max_by(output_preview, start_unix_nano) FILTER (WHERE output_preview IS NOT NULL)
        ) AS output_preview
    FROM trace_parts
    GROUP BY tenant, trace_id
) AS whole
LEFT JOIN (
    SELECT
        tenant, trace_id, sum(cost_usd) AS cost_usd, count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
        sum(reported_cost_usd) AS reported_cost_usd
    FROM span_costs
    GROUP BY tenant, trace_id
) AS costs ON costs.tenant = whole.tenant AND costs.trace_id = whole.trace_id
