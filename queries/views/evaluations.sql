-- One row is one score: an evaluation result, feedback, an annotation or a correction, however often it was sent.
--
-- Rule: rows of `scores` that are equal in all but their receipt are one. A correction is a row of its own; the last
-- word on something is the row with the greatest `time`.
SELECT
    date, time, time_unix_nano, tenant, target, trace_id, span_id, response_id, session_id, document_id, name, value,
    label, explanation, source, author, metadata, service, min(received_at) AS received_at, min(seq) AS seq
FROM scores
GROUP BY
    date, time, time_unix_nano, tenant, target, trace_id, span_id, response_id, session_id, document_id, name, value,
    label, explanation, source, author, metadata, service
