-- One row is one version of a prompt as traffic shows it, in one service and environment.
--
-- Rule: a prompt goes by its name, and where the application names none by its `prompt_shape`, the text with dates,
-- numbers and ids masked; a version by its version, and where none is told by the hash of the text. `share` is of all
-- calls of the prompt in that service and environment, `share_last_day` of those of the last 24 hours. Trials of replays
-- and test harnesses are no traffic (see `trials`).
SELECT
    tenant, service, environment, prompt_name, prompt_shape, prompt_version, prompt_hash, labels, models,
    first_time, last_time, call_count, call_count_last_day, cost_usd, unpriced_calls, reported_cost_usd,
    call_count / sum(call_count) OVER (
        PARTITION BY tenant, service, environment, prompt_name, prompt_shape)::double AS share,
    call_count_last_day / nullif(sum(call_count_last_day) OVER (
        PARTITION BY tenant, service, environment, prompt_name, prompt_shape), 0)::double AS share_last_day
FROM (
    SELECT
        tenant, service, environment, prompt_name,
        CASE WHEN prompt_name IS NULL THEN prompt_shape END AS prompt_shape,
        prompt_version,
        CASE WHEN prompt_version IS NULL THEN prompt_hash END AS prompt_hash,
        array_sort(array_agg(DISTINCT prompt_label) FILTER (WHERE prompt_label IS NOT NULL)) AS labels,
        array_sort(array_agg(DISTINCT coalesce(response_model, request_model))
            FILTER (WHERE coalesce(response_model, request_model) IS NOT NULL)) AS models,
        min(start_time) AS first_time, max(start_time) AS last_time, count(*) AS call_count,
        count(*) FILTER (WHERE start_time > now() - INTERVAL '24 hours') AS call_count_last_day,
        sum(cost_usd) AS cost_usd, count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
        sum(reported_cost_usd) AS reported_cost_usd
    FROM span_costs
    WHERE is_trial IS NOT TRUE AND (prompt_name IS NOT NULL OR prompt_hash IS NOT NULL)
    GROUP BY
        tenant, service, environment, prompt_name, CASE WHEN prompt_name IS NULL THEN prompt_shape END,
        prompt_version, CASE WHEN prompt_version IS NULL THEN prompt_hash END
) AS used
