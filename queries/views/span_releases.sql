-- One row is one span beside a release that was live then: of the prompt that it names, or of the workflow of its run.
--
-- Rule: a span that names a prompt has a row for it (`release_kind` is `prompt`), and each span of a run of a workflow that
-- was ever released has one for that (`workflow`); the workflow of a run is the one that its first span with one names. The
-- release is the one in the span's environment; where the span does not say its environment, the one of the only
-- environment in which the prompt or workflow was ever live. `agrees` is whether the version is the one that was live; NULL
-- where none is named. A span for which nothing was live has no release.
SELECT
    s.tenant, s.date, s.trace_id, s.span_id, s.start_time, s.environment, s.prompt_name, s.prompt_version,
    r.environment AS release_environment, r.revision AS release_revision, r.version AS release_version,
    r.live_from, r.live_until, r.verdict, s.version = r.version AS agrees,
    s.release_kind, s.workflow_name, s.workflow_version
FROM (
    SELECT
        'prompt' AS release_kind, prompt_name AS name, prompt_version AS version, tenant, date, trace_id, span_id,
        start_time, environment, prompt_name, prompt_version, NULL AS workflow_name, NULL AS workflow_version
    FROM spans
    WHERE prompt_name IS NOT NULL
    GROUP BY tenant, date, trace_id, span_id, start_time, environment, prompt_name, prompt_version
    UNION ALL
    SELECT
        'workflow' AS release_kind, w.workflow_name AS name, w.workflow_version AS version, s.tenant, s.date, s.trace_id,
        s.span_id, s.start_time, s.environment, NULL AS prompt_name, NULL AS prompt_version, w.workflow_name,
        w.workflow_version
    FROM spans AS s
    JOIN (
        SELECT
            tenant, trace_id, first_value(workflow_name ORDER BY start_unix_nano, span_id) AS workflow_name,
            first_value(workflow_version ORDER BY start_unix_nano, span_id) AS workflow_version
        FROM spans
        WHERE workflow_name IS NOT NULL
        GROUP BY tenant, trace_id
    ) AS w ON w.tenant = s.tenant AND w.trace_id = s.trace_id
    WHERE w.workflow_name IN (SELECT prompt FROM releases WHERE kind = 'workflow' AND state = 'live')
    GROUP BY s.tenant, s.date, s.trace_id, s.span_id, s.start_time, s.environment, w.workflow_name, w.workflow_version
) AS s
LEFT JOIN (
    SELECT l.*, p.environments
    FROM live_releases AS l
    JOIN (
        SELECT prompt, count(DISTINCT environment) AS environments FROM releases WHERE state = 'live' GROUP BY prompt
    ) AS p ON p.prompt = l.prompt
) AS r ON r.kind = s.release_kind AND r.prompt = s.name
    AND r.live_from <= s.start_time AND (r.live_until IS NULL OR s.start_time < r.live_until)
    AND (r.environment = s.environment OR (s.environment IS NULL AND r.environments = 1))
