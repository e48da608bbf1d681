-- One row is one span that names a prompt, beside the release of it that was live then.
--
-- Rule: the release of the prompt in the span's environment; where the span does not say its environment, the one of the
-- only environment in which the prompt was ever live. `agrees` is whether the span names the version that was live; NULL
-- where it names none. A span for which nothing was live has no release.
SELECT
    s.tenant, s.date, s.trace_id, s.span_id, s.start_time, s.environment, s.prompt_name, s.prompt_version,
    r.environment AS release_environment, r.revision AS release_revision, r.version AS release_version,
    r.live_from, r.live_until, r.verdict, s.prompt_version = r.version AS agrees
FROM (
    SELECT DISTINCT tenant, date, trace_id, span_id, start_time, environment, prompt_name, prompt_version
    FROM spans
    WHERE prompt_name IS NOT NULL
) AS s
LEFT JOIN (
    SELECT l.*, p.environments
    FROM live_releases AS l
    JOIN (
        SELECT prompt, count(DISTINCT environment) AS environments FROM releases WHERE state = 'live' GROUP BY prompt
    ) AS p ON p.prompt = l.prompt
) AS r ON r.prompt = s.prompt_name
    AND r.live_from <= s.start_time AND (r.live_until IS NULL OR s.start_time < r.live_until)
    AND (r.environment = s.environment OR (s.environment IS NULL AND r.environments = 1))
