-- title: Agreement of reviewers
-- question: How far do the people who judge the same things agree, beyond what chance would give?
-- param: since timestamptz = now() - INTERVAL '30 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: name text = NULL | Only this score
-- param: source text = 'human' | Whose scores: human, model, code or user
-- Fleiss' kappa over the last words of all reviewers of a tenant (J. L. Fleiss, Measuring nominal scale agreement among
-- many raters, 1971) in its form for things judged by differing numbers of reviewers: the agreement on a thing is the
-- share of its pairs of reviewers who agree. A category is the label, else the value. Things judged by one reviewer tell
-- nothing. What is said of a response is said of the call that got it.
WITH said AS (
    SELECT tenant, name, target, trace_id, span_id, session_id, document_id, author,
        CASE WHEN trace_id IS NULL THEN response_id END AS response_id,
        coalesce(label, CAST(value AS text)) AS category
    FROM evaluations
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) AND time >= $since AND time < $until
        AND superseded_at IS NULL AND source = $source AND author IS NOT NULL
        AND ($name IS NULL OR name = $name)
        AND coalesce(label, CAST(value AS text)) IS NOT NULL
        AND coalesce(trace_id, response_id, session_id, document_id) IS NOT NULL
),
calls AS (
    SELECT
        c.tenant, c.response_id,
        first_value(c.trace_id ORDER BY c.start_unix_nano, c.span_id) AS call_trace_id,
        first_value(c.span_id ORDER BY c.start_unix_nano, c.span_id) AS call_span_id
    FROM (SELECT tenant, response_id FROM said WHERE response_id IS NOT NULL GROUP BY tenant, response_id) AS named
    JOIN llm_calls AS c ON c.tenant = named.tenant AND c.response_id = named.response_id
    GROUP BY c.tenant, c.response_id
),
words AS (
    SELECT
        s.tenant, s.name, s.target, s.session_id, s.document_id, s.author, s.category,
        coalesce(s.trace_id, c.call_trace_id) AS trace_id,
        coalesce(s.span_id, c.call_span_id) AS span_id,
        CASE WHEN c.call_span_id IS NULL THEN s.response_id END AS response_id
    FROM said AS s
    LEFT JOIN calls AS c ON c.tenant = s.tenant AND c.response_id = s.response_id
),
given AS (
    SELECT tenant, name, target, trace_id, span_id, session_id, document_id, response_id, category, count(*) AS votes
    FROM words
    GROUP BY tenant, name, target, trace_id, span_id, session_id, document_id, response_id, category
),
things AS (
    SELECT tenant, name, target, trace_id, span_id, session_id, document_id, response_id,
        sum(votes) AS reviewers,
        CAST(sum(votes * (votes - 1)) AS double) / nullif(sum(votes) * (sum(votes) - 1), 0) AS agreement
    FROM given
    GROUP BY tenant, name, target, trace_id, span_id, session_id, document_id, response_id
    HAVING sum(votes) > 1
),
shares AS (
    SELECT tenant, name, sum(share * share) AS by_chance
    FROM (
        SELECT g.tenant, g.name, g.category,
            CAST(sum(g.votes) AS double) / sum(sum(g.votes)) OVER (PARTITION BY g.tenant, g.name) AS share
        FROM given AS g
        INNER JOIN things AS t ON t.tenant = g.tenant AND t.name = g.name AND t.target = g.target
            AND (t.trace_id IS NOT DISTINCT FROM g.trace_id) AND (t.span_id IS NOT DISTINCT FROM g.span_id)
            AND (t.session_id IS NOT DISTINCT FROM g.session_id)
            AND (t.document_id IS NOT DISTINCT FROM g.document_id)
            AND (t.response_id IS NOT DISTINCT FROM g.response_id)
        GROUP BY g.tenant, g.name, g.category
    ) AS categories
    GROUP BY tenant, name
)
SELECT
    t.name,
    count(*) AS things,
    CAST(sum(t.reviewers) AS bigint) AS judgements,
    round(avg(t.agreement), 4) AS agreement,
    round(any_value(s.by_chance), 4) AS by_chance,
    -- Where everybody says the same of everything, agreement tells nothing of the reviewers.
    round((avg(t.agreement) - any_value(s.by_chance)) / nullif(1 - any_value(s.by_chance), 0), 4) AS fleiss_kappa
FROM things AS t
INNER JOIN shares AS s ON s.tenant = t.tenant AND s.name = t.name
GROUP BY t.tenant, t.name
ORDER BY t.name, t.tenant
