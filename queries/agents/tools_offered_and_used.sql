-- title: Tools offered and used
-- question: Which tools are offered to the model on call after call, and never used?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- Needs captured tool definitions. Their names are what follows "name" in them, however the dialect wraps them.
WITH calls AS (
    SELECT tenant, date, trace_id, span_id, service, tools_ref['hash'] AS hash
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND tools_ref IS NOT NULL
),
definitions AS (
    SELECT tenant, date, hash, replace(max(content), '\"', '"') AS content
    FROM contents
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) AND hash IN (SELECT hash FROM calls)
    GROUP BY tenant, date, hash
),
names AS (
    SELECT DISTINCT tenant, date, hash, regexp_match(piece, '^\s*:\s*"([^"]+)"')[1] AS tool_name
    FROM (
        SELECT tenant, date, hash, unnest(string_to_array(content, '"name"')) AS piece
        FROM definitions
    ) AS pieces
),
offered AS (
    SELECT service, tool_name, count(*) AS calls_offering, count(DISTINCT trace_id) AS runs_offering
    FROM calls
    JOIN names ON names.tenant = calls.tenant AND names.date = calls.date AND names.hash = calls.hash
    WHERE tool_name IS NOT NULL
    GROUP BY service, tool_name
),
used AS (
    SELECT service, tool_name, count(*) AS times_used, count(DISTINCT trace_id) AS runs_using
    FROM tool_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
    GROUP BY service, tool_name
)
SELECT
    offered.service, offered.tool_name,
    calls_offering, runs_offering,
    coalesce(times_used, 0) AS times_used,
    coalesce(runs_using, 0) AS runs_using
FROM offered
LEFT JOIN used ON (used.service IS NOT DISTINCT FROM offered.service) AND used.tool_name = offered.tool_name
ORDER BY times_used, calls_offering DESC, service, tool_name
LIMIT $most
