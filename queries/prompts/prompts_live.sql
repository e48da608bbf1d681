-- title: Prompt versions live
-- question: Which versions of each prompt are in use, since when, and at what share of its calls?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: most bigint = 50 | At most this many rows
-- First and last seen within the period. A prompt without a name goes by the shape of its instructions: equal but for
-- dates, numbers and ids.
SELECT
    prompt, prompt_version, prompt_label, calls,
    round(1.0 * calls / sum(calls) OVER (PARTITION BY prompt), 3) AS share,
    first_seen, last_seen, models
FROM (
    SELECT
        coalesce(prompt_name, 'shape ' || left(prompt_shape, 12)) AS prompt,
        prompt_version, prompt_label,
        count(*) AS calls,
        min(start_time) AS first_seen,
        max(start_time) AS last_seen,
        string_agg(DISTINCT coalesce(response_model, request_model), ', '
            ORDER BY coalesce(response_model, request_model)) AS models
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND (prompt_name IS NOT NULL OR prompt_shape IS NOT NULL)
    GROUP BY coalesce(prompt_name, 'shape ' || left(prompt_shape, 12)), prompt_version, prompt_label
) AS versions
ORDER BY prompt, last_seen DESC, prompt_version, prompt_label
LIMIT $most
