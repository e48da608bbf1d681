-- title: Instructions on a date
-- question: Which instructions did the model receive on that day (UTC)?
-- param: day date = now() AT TIME ZONE 'UTC' | The day
-- param: prompt text = NULL | Only the prompt of this name
-- param: service text = NULL | Only this service
-- param: most bigint = 50 | At most this many rows
-- The instructions are as sent, by the call itself or else by a log record within its span; NULL where they were not
-- captured or have expired.
WITH told AS (
    SELECT
        tenant, trace_id, span_id,
        first_value(CASE WHEN system_ref IS NOT NULL THEN system_ref['hash'] END ORDER BY time_unix_nano) AS hash
    FROM logs
    WHERE date = $day AND system_ref IS NOT NULL AND trace_id IS NOT NULL
    GROUP BY tenant, trace_id, span_id
),
calls AS (
    SELECT
        c.tenant, c.service, c.prompt_name, c.prompt_version, c.start_time,
        coalesce(CASE WHEN c.system_ref IS NOT NULL THEN c.system_ref['hash'] END, told.hash) AS hash
    FROM llm_calls AS c
    LEFT JOIN told ON told.tenant = c.tenant AND told.trace_id = c.trace_id AND told.span_id = c.span_id
    WHERE c.date = $day
        AND ($prompt IS NULL OR c.prompt_name = $prompt)
        AND ($service IS NULL OR c.service = $service)
        AND c.kind IN ('chat', 'completion')
        AND c.is_trial IS NOT TRUE
),
texts AS (
    SELECT tenant, hash, max(content) AS instructions
    FROM contents
    WHERE date = $day AND hash IN (SELECT hash FROM calls)
    GROUP BY tenant, hash
)
SELECT
    service, prompt_name, prompt_version,
    count(*) AS calls,
    min(start_time) AS first_call,
    max(start_time) AS last_call,
    instructions
FROM calls
LEFT JOIN texts ON texts.tenant = calls.tenant AND texts.hash = calls.hash
GROUP BY service, prompt_name, prompt_version, instructions
ORDER BY service, prompt_name, first_call, instructions
LIMIT $most
