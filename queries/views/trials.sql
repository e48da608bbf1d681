-- One row is one trial: a candidate tried on an example of a dataset, once.
--
-- Rule: a span with the attribute `tracewell.example.id` is a trial, with all spans below it; `tracewell replay` writes
-- such spans, and any harness can. Of spans that mark the same example one below the other, the outermost counts; of a
-- span that was sent again, the longest version. `tracewell.candidate`, `tracewell.dataset`, `tracewell.replay.id` and
-- `tracewell.repetition` may stand on the span or on its resource; a trial without a repetition is the first.
WITH marked AS (
    SELECT
        tenant, date, trace_id, span_id, parent_span_id, name, kind, start_time, start_unix_nano, duration_ns, status,
        error_type, service, output_refs, attributes['tracewell.example.id'] AS example,
        try_cast(attributes['tracewell.example.revision'] AS bigint) AS revision,
        coalesce(attributes['tracewell.dataset'], resource_attributes['tracewell.dataset']) AS dataset,
        coalesce(attributes['tracewell.candidate'], resource_attributes['tracewell.candidate']) AS candidate,
        coalesce(attributes['tracewell.replay.id'], resource_attributes['tracewell.replay.id']) AS replay,
        coalesce(try_cast(coalesce(attributes['tracewell.repetition'], resource_attributes['tracewell.repetition']) AS bigint), 1) AS repetition,
        row_number() OVER (PARTITION BY tenant, trace_id, span_id ORDER BY duration_ns DESC, tracewell_digest(
            date, parent_span_id, name, kind, start_time, status, error_type, output_refs, attributes, resource_attributes)) AS version
    FROM spans
    WHERE attributes['tracewell.example.id'] IS NOT NULL
)
SELECT
    m.tenant, m.date, m.trace_id, m.span_id, m.name, m.kind, m.start_time, m.start_unix_nano, m.duration_ns, m.status,
    m.error_type, m.service, m.dataset, m.example, m.revision, m.candidate, m.replay, m.repetition, m.output_refs
FROM marked AS m
LEFT JOIN (SELECT tenant, trace_id, span_id, example FROM marked WHERE version = 1) AS above
    ON above.tenant = m.tenant AND above.trace_id = m.trace_id AND above.span_id = m.parent_span_id
        AND above.example = m.example
WHERE m.version = 1 AND above.span_id IS NULL
