-- One row is one time in which a revision of a prompt or workflow was live in an environment.
--
-- Rule: a release is live from the step that made it so until the next one that made another live, or that rolled it
-- back; steps follow each other by their number in the ledger. A step that was recorded as of before an earlier one ends
-- what that one began, so that at each moment one revision is live. `live_until` is NULL for what is live now.
SELECT prompt, environment, revision, version, live_from, live_until, author, why, change, verdict, decision, forced,
    kind
FROM (
    SELECT
        prompt, environment, revision, version, state, effective_at AS live_from,
        min(effective_at) OVER (
            PARTITION BY prompt, environment ORDER BY entry, CASE WHEN state = 'live' THEN 1 ELSE 0 END
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS live_until,
        author, why, change, verdict, decision, forced, coalesce(kind, 'prompt') AS kind
    FROM releases
    WHERE state IN ('live', 'rolled_back')
) AS steps
WHERE state = 'live' AND (live_until IS NULL OR live_from <= live_until)
