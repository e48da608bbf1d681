-- One row is one document that a retrieval found or a reranking kept, in the order of the answer.
--
-- Rule: spans of kind retrieval and rerank, each once; of a retrieval within another one only the outer counts. A
-- retrieval that found nothing has one row without a document, so that it is seen. Session, user, team and workflow are
-- those of the span, else of its run (see `run_facts`). `content` is the document as sent; its id, score and text are
-- read from it where it is an object of a known form.
SELECT
    d.tenant, d.date, d.trace_id, d.span_id, d.parent_span_id, d.start_time, d.duration_ns, d.kind, d.service,
    d.environment, d.release, coalesce(d.team, r.run_team) AS team,
    coalesce(d.conversation_id, r.run_conversation_id) AS conversation_id, coalesce(d.user_id, r.run_user_id) AS user_id,
    r.run_workflow_name AS workflow_name, r.run_workflow_version AS workflow_version, d.dialect, d.scope_name, d.status, d.error_class, d.retrieval_query, d.position, d.ref['hash'] AS hash,
    coalesce(
        tracewell_member(t.content, 'document.id', 'id', 'doc_id', 'node_id', 'node.id_', 'metadata.id', 'metadata.doc_id'),
        -- OpenInference writes metadata as text.
        tracewell_member(tracewell_member(t.content, 'document.metadata'), 'id', 'doc_id'),
        tracewell_member(t.content, 'metadata.source')) AS document_id,
    TRY_CAST(coalesce(
        tracewell_member(t.content, 'document.score', 'score', 'relevance_score', 'similarity', 'metadata.score',
            'metadata.relevance_score'),
        tracewell_member(tracewell_member(t.content, 'document.metadata'), 'score', 'relevance_score')) AS double) AS score,
    tracewell_member(t.content, 'document.content', 'page_content', 'content', 'text', 'node.text') AS text,
    t.content AS content,
    r.run_is_trial AS is_trial
FROM run_facts AS r
RIGHT JOIN (
    SELECT
        tenant, date, trace_id, span_id, parent_span_id, start_time, duration_ns, kind, service, environment, release, team,
        conversation_id, user_id, dialect, scope_name, status, error_class, retrieval_query,
        unnest(coalesce(refs, make_array(NULL))) AS ref,
        unnest(CASE WHEN refs IS NULL THEN make_array(NULL) ELSE range(1, cardinality(refs)::bigint + 1) END) AS position
    FROM (
        SELECT
            tenant, trace_id, span_id,
            first_value(s.date ORDER BY shorter, said) AS date,
            first_value(s.parent_span_id ORDER BY shorter, said) AS parent_span_id,
            first_value(s.start_time ORDER BY shorter, said) AS start_time,
            first_value(s.duration_ns ORDER BY shorter, said) AS duration_ns,
            first_value(s.kind ORDER BY shorter, said) AS kind,
            first_value(s.service ORDER BY shorter, said) AS service,
            first_value(s.environment ORDER BY shorter, said) AS environment,
            first_value(s.release ORDER BY shorter, said) AS release,
            first_value(s.team ORDER BY shorter, said) FILTER (WHERE s.team IS NOT NULL) AS team,
            first_value(s.conversation_id ORDER BY shorter, said) FILTER (WHERE s.conversation_id IS NOT NULL) AS conversation_id,
            first_value(s.user_id ORDER BY shorter, said) FILTER (WHERE s.user_id IS NOT NULL) AS user_id,
            first_value(s.dialect ORDER BY shorter, said) AS dialect,
            first_value(s.scope_name ORDER BY shorter, said) AS scope_name,
            first_value(s.status ORDER BY shorter, said) FILTER (WHERE s.status IS NOT NULL) AS status,
            first_value(s.error_class ORDER BY shorter, said) FILTER (WHERE s.error_class IS NOT NULL) AS error_class,
            first_value(s.retrieval_query ORDER BY shorter, said) FILTER (WHERE s.retrieval_query IS NOT NULL) AS retrieval_query,
            first_value(s.output_refs ORDER BY shorter, said) FILTER (WHERE s.output_refs IS NOT NULL) AS refs
        FROM (
            SELECT *, -duration_ns AS shorter,
                -- Where lengths are equal: an order that is not that of arrival.
                tracewell_digest(date, parent_span_id, start_time, kind, service, environment, release, team,
                    conversation_id, user_id, dialect, scope_name, status, error_class, retrieval_query,
                    output_refs) AS said
            FROM spans
            WHERE kind IN ('retrieval', 'rerank')
        ) AS s
        GROUP BY tenant, trace_id, span_id
    ) AS one
    WHERE NOT EXISTS (
        SELECT 1
        FROM spans AS outer_span
        WHERE outer_span.tenant = one.tenant AND outer_span.trace_id = one.trace_id
            AND outer_span.span_id = one.parent_span_id AND outer_span.kind = one.kind)
) AS d ON r.tenant = d.tenant AND r.trace_id = d.trace_id
LEFT JOIN texts AS t ON t.tenant = d.tenant AND t.date = d.date AND t.hash = d.ref['hash']
