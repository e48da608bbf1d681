-- One row is one time in which a revision of a prompt was live in an environment.
--
-- Rule: a release is live from the step that made it so until the next one that made another live, or that rolled it
-- back. `live_until` is NULL for what is live now.
SELECT prompt, environment, revision, version, live_from, live_until, author, why, change, verdict, decision, forced
FROM (
    SELECT
        prompt, environment, revision, version, state, effective_at AS live_from,
        lead(effective_at) OVER (PARTITION BY prompt, environment ORDER BY effective_at, entry, state = 'live') AS live_until,
        author, why, change, verdict, decision, forced
    FROM releases
    WHERE state IN ('live', 'rolled_back')
) AS steps
WHERE state = 'live'
