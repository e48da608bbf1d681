-- title: Agreement of two judges
-- question: How far does one judge agree with another: two people, or a model with people?
-- param: since timestamptz = now() - INTERVAL '30 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: name text = NULL | Only this score
-- param: most bigint = 50 | At most this many rows
-- Cohen's kappa (J. Cohen, A coefficient of agreement for nominal scales, 1960) of every pair of judges over the things
-- both judged by the same name, in each tenant by itself. A judge is a source and an author; people who are not named
-- may be several, and are left out. A category is the label, else the value. What is said of a response is said of the
-- call that got it.
WITH said AS (
    SELECT tenant, name, target, trace_id, span_id, session_id, document_id,
        CASE WHEN trace_id IS NULL THEN response_id END AS response_id,
        concat_ws(' ', source, author) AS judge,
        coalesce(label, CAST(value AS text)) AS category
    FROM evaluations
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date)
        AND CAST($until AT TIME ZONE 'UTC' AS date) AND time >= $since AND time < $until
        AND superseded_at IS NULL AND (author IS NOT NULL OR coalesce(source, '') NOT IN ('human', 'user'))
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
        s.tenant, s.name, s.target, s.session_id, s.document_id, s.judge, s.category,
        coalesce(s.trace_id, c.call_trace_id) AS trace_id,
        coalesce(s.span_id, c.call_span_id) AS span_id,
        CASE WHEN c.call_span_id IS NULL THEN s.response_id END AS response_id
    FROM said AS s
    LEFT JOIN calls AS c ON c.tenant = s.tenant AND c.response_id = s.response_id
),
pairs AS (
    SELECT a.tenant, a.name, a.judge AS first_judge, b.judge AS second_judge, a.category AS first, b.category AS second
    FROM words AS a
    INNER JOIN words AS b ON b.tenant = a.tenant AND b.name = a.name AND b.target = a.target
        AND (b.trace_id IS NOT DISTINCT FROM a.trace_id) AND (b.span_id IS NOT DISTINCT FROM a.span_id)
        AND (b.session_id IS NOT DISTINCT FROM a.session_id)
        AND (b.document_id IS NOT DISTINCT FROM a.document_id)
        AND (b.response_id IS NOT DISTINCT FROM a.response_id)
    WHERE a.judge < b.judge
),
agreed AS (
    SELECT tenant, name, first_judge, second_judge, count(*) AS things,
        avg(CASE WHEN first = second THEN 1.0 ELSE 0.0 END) AS agreement
    FROM pairs
    GROUP BY tenant, name, first_judge, second_judge
),
given AS (
    SELECT tenant, name, first_judge, second_judge, category, sum(by_first) AS by_first, sum(by_second) AS by_second
    FROM (
        SELECT tenant, name, first_judge, second_judge, first AS category, 1 AS by_first, 0 AS by_second FROM pairs
        UNION ALL
        SELECT tenant, name, first_judge, second_judge, second AS category, 0 AS by_first, 1 AS by_second FROM pairs
    ) AS both
    GROUP BY tenant, name, first_judge, second_judge, category
),
chance AS (
    SELECT tenant, name, first_judge, second_judge,
        sum(CAST(by_first AS double) * by_second) / (CAST(sum(by_first) AS double) * sum(by_second)) AS by_chance
    FROM given
    GROUP BY tenant, name, first_judge, second_judge
)
SELECT
    a.name, a.first_judge, a.second_judge, a.things,
    round(a.agreement, 4) AS agreement,
    round(c.by_chance, 4) AS by_chance,
    round((a.agreement - c.by_chance) / nullif(1 - c.by_chance, 0), 4) AS cohens_kappa
FROM agreed AS a
INNER JOIN chance AS c ON c.tenant = a.tenant AND c.name = a.name AND c.first_judge = a.first_judge
    AND c.second_judge = a.second_judge
ORDER BY a.name, a.things DESC, a.first_judge, a.second_judge, a.tenant
LIMIT $most
