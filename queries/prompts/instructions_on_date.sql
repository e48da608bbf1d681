-- title: Instructions on a date
-- question: Which instructions did the model receive on that day (UTC)?
-- param: day date = current_date | The day
-- param: prompt text = NULL | Only the prompt of this name
-- param: service text = NULL | Only this service
-- param: most bigint = 50 | At most this many rows
-- The instructions are as sent; NULL where they were not captured or have expired.
WITH calls AS (
    SELECT tenant, date, service, prompt_name, prompt_version, system_ref['hash'] AS hash, start_time
    FROM llm_calls
    WHERE date = $day
        AND ($prompt IS NULL OR prompt_name = $prompt)
        AND ($service IS NULL OR service = $service)
        AND kind IN ('chat', 'completion')
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
