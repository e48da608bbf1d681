-- One row is one score: an evaluation result, feedback, an annotation or a correction, however often it was sent.
--
-- Rule: rows of `scores` that are equal in all but their receipt are one. The same judge (source and author) judging the
-- same thing by the same name again supersedes what was said before; the last word has no `superseded_at`. Of two of
-- one time the one that says more (the higher value, the later in the alphabet) is the last, not the one that came last.
-- People and end users who are not named may be several, so that none of them supersedes another.
-- (The next time is asked for as the first of all that follow, which is told faster than `lead` of many small groups.)
SELECT
    date, time, time_unix_nano, tenant, target, trace_id, span_id, response_id, session_id, document_id, name,
    data_type, value, label, text, explanation, source, author, metadata, service, received_at, seq,
    CASE WHEN author IS NOT NULL OR coalesce(source, '') NOT IN ('human', 'user') THEN first_value(time) OVER (
        PARTITION BY tenant, target, trace_id, span_id, response_id, session_id, document_id, name, source, author
        ORDER BY time_unix_nano, value, label, text, explanation, tracewell_digest(data_type, metadata, service)
        ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ) END AS superseded_at
FROM (
    SELECT
        date, time, time_unix_nano, tenant, target, trace_id, span_id, response_id, session_id, document_id, name,
        data_type, value, label, text, explanation, source, author, metadata, service,
        min(received_at) AS received_at, min(seq) AS seq
    FROM scores
    GROUP BY
        date, time, time_unix_nano, tenant, target, trace_id, span_id, response_id, session_id, document_id, name,
        data_type, value, label, text, explanation, source, author, metadata, service
) AS said
