-- title: Ambiguous calls
-- question: On which calls and runs do judges and people not agree, or score near the line?
-- param: since timestamptz = now() - INTERVAL '7 days' | Scored since
-- param: score text = NULL | Only the score of this name
-- param: line double = 0.5 | Where good begins, on the scale of the score
-- param: margin double = 0.1 | As near to the line nobody is sure
-- For people to look at: `tracewell review add` puts them into a queue. Whoever judges, a model or a person, counts alike,
-- with their last word; people who are not named may be several. Only scores of one name are held against each other. What
-- names a response alone is said of the call that got it.
WITH said AS (
    SELECT
        tenant, trace_id, span_id, response_id, name, value, label, concat_ws(' ', source, author) AS judge,
        author IS NULL AND source IN ('human', 'user') AS is_unnamed
    FROM evaluations
    WHERE date >= CAST($since AT TIME ZONE 'UTC' AS date) AND time >= $since
        AND superseded_at IS NULL AND target <> 'document' AND ($score IS NULL OR name = $score)
),
given AS (
    SELECT tenant, trace_id, span_id, name, value, label, judge, is_unnamed FROM said WHERE trace_id IS NOT NULL
    UNION ALL
    SELECT c.tenant, c.trace_id, c.span_id, s.name, s.value, s.label, s.judge, s.is_unnamed
    FROM (SELECT * FROM said WHERE trace_id IS NULL AND response_id IS NOT NULL) AS s
    JOIN llm_calls AS c ON c.tenant = s.tenant AND c.response_id = s.response_id
    WHERE c.trace_id IS NOT NULL
)
SELECT
    trace_id, span_id, 'disagreement' AS stratum,
    name || ': '
        || string_agg(judge || ' ' || coalesce(label, CAST(value AS text)), ', ' ORDER BY judge, coalesce(label, CAST(value AS text))) AS reason
FROM given
WHERE value IS NOT NULL OR label IS NOT NULL
GROUP BY tenant, trace_id, span_id, name
HAVING (count(DISTINCT judge) > 1 OR count(*) FILTER (WHERE is_unnamed) > 1)
    AND (count(DISTINCT value >= $line) > 1 OR (count(value) < count(*) AND count(DISTINCT lower(label)) > 1))
UNION ALL
SELECT trace_id, span_id, 'near the line' AS stratum, name || ' = ' || CAST(value AS text) AS reason
FROM given
WHERE abs(value - $line) <= $margin
ORDER BY trace_id, span_id, stratum, reason
