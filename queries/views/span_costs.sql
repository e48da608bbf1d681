-- One row is one model call with what it costs.
--
-- Rule: cost is worked out from the facts of the call by the prices in force at its time, each time it is asked: a price
-- that is corrected re-prices the past. An amount is exact, to 10⁻²⁴. What has no price is NULL, and `unpriced_reason`
-- says why; amounts in other currencies than US dollars are in `cost_parts` alone. What the application reports stays
-- beside it. In DuckDB, which has no prices, all of it is NULL but that.
SELECT
    tenant, trace_id, span_id, date, start_time, end_time, start_unix_nano, kind, name, service, environment, release, team,
    user_id, conversation_id, agent_name, workflow_name, workflow_version, prompt_name, prompt_version, prompt_label,
    prompt_hash, prompt_shape, provider, request_model, response_model, coalesce(response_model, request_model) AS model,
    service_tier, dialect, status, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    input_preview, output_preview, is_trial,
    tracewell_cost(call) AS cost_usd,
    tracewell_cost_parts(call) AS cost_parts,
    tracewell_cost(uncached) AS uncached_cost_usd,
    reported AS reported_cost_usd,
    tracewell_cost(call) - reported AS cost_difference_usd,
    tracewell_price(call)['unpriced_reason'] AS unpriced_reason,
    tracewell_price(call)['currency'] AS currency,
    tracewell_price(call)['rule'] AS price_rule,
    tracewell_price(call)['source'] AS price_source,
    tracewell_price(call)['catalogue'] AS catalogue,
    tracewell_price(call)['catalogue_version'] AS catalogue_version,
    tracewell_price(call)['prices_version'] AS prices_version,
    tracewell_price(call)['tier'] AS price_tier,
    tracewell_price(call)['context_over'] AS price_context_over,
    tracewell_price(call)['model_reading'] AS model_reading,
    tracewell_price(call)['count_reading'] AS count_reading
FROM (
    SELECT
        *,
        try_cast(reported_cost_usd AS DECIMAL(38, 24)) AS reported,
        named_struct('provider', provider, 'response_model', response_model, 'request_model', request_model,
            'tenant', tenant, 'environment', environment, 'service_tier', service_tier,
            'start_unix_nano', start_unix_nano, 'input_tokens', input_tokens, 'output_tokens', output_tokens,
            'cache_read_tokens', cache_read_tokens, 'cache_write_tokens', cache_write_tokens,
            'cache_write_5m_tokens', cache_write_5m_tokens, 'cache_write_1h_tokens', cache_write_1h_tokens,
            'reasoning_tokens', reasoning_tokens, 'audio_input_tokens', audio_input_tokens,
            'audio_output_tokens', audio_output_tokens, 'image_input_tokens', image_input_tokens) AS call,
        named_struct('provider', provider, 'response_model', response_model, 'request_model', request_model,
            'tenant', tenant, 'environment', environment, 'service_tier', service_tier,
            'start_unix_nano', start_unix_nano, 'input_tokens', input_tokens, 'output_tokens', output_tokens,
            'reasoning_tokens', reasoning_tokens, 'audio_input_tokens', audio_input_tokens,
            'audio_output_tokens', audio_output_tokens, 'image_input_tokens', image_input_tokens) AS uncached
    FROM llm_calls
) AS calls
