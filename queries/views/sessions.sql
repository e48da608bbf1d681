-- One row is one session: all runs and calls of one conversation.
--
-- Rule: a run belongs to the conversation that its root names, else the one that all its spans agree on; a model call to
-- its own, else that of its run. Calls that only log records tell of count without a run. Trials of replays and test
-- harnesses are no traffic (see `trials`).
SELECT
    tenant, conversation_id,
    min(start_time) AS start_time, max(end_time) AS end_time,
    CASE WHEN min(user_id) = max(user_id) THEN min(user_id) END AS user_id,
    CASE WHEN min(service) = max(service) THEN min(service) END AS service,
    CASE WHEN min(environment) = max(environment) THEN min(environment) END AS environment,
    CASE WHEN min(team) = max(team) THEN min(team) END AS team,
    sum(runs) AS run_count, sum(failed_runs) AS failed_run_count, sum(calls) AS call_count,
    sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens, sum(calls_without_usage) AS calls_without_usage,
    sum(cost_usd) AS cost_usd, sum(unpriced_calls) AS unpriced_calls, sum(reported_cost_usd) AS reported_cost_usd,
    array_sort(array_agg(DISTINCT model) FILTER (WHERE model IS NOT NULL)) AS models,
    first_value(input_preview ORDER BY start_time, input_preview) FILTER (WHERE input_preview IS NOT NULL) AS input_preview,
    last_value(output_preview ORDER BY start_time, output_preview) FILTER (WHERE output_preview IS NOT NULL) AS output_preview
FROM (
    SELECT
        tenant, conversation_id, start_time, end_time, user_id, service, environment, team,
        0 AS runs, 0 AS failed_runs, 1 AS calls, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
        reasoning_tokens, CASE WHEN input_tokens IS NULL AND output_tokens IS NULL THEN 1 ELSE 0 END AS calls_without_usage,
        cost_usd, CASE WHEN cost_usd IS NULL THEN 1 ELSE 0 END AS unpriced_calls, reported_cost_usd,
        coalesce(response_model, request_model) AS model, input_preview, output_preview
    FROM span_costs
    WHERE is_trial IS NOT TRUE AND conversation_id IS NOT NULL
    UNION ALL
    SELECT
        tenant, conversation_id, start_time, end_time, user_id, service, environment, team,
        1, CASE WHEN status = 'error' THEN 1 ELSE 0 END, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL
    FROM traces
    WHERE is_trial IS NOT TRUE AND conversation_id IS NOT NULL AND span_count > 0 AND NOT only_duplicates
) AS said
GROUP BY tenant, conversation_id
