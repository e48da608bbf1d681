-- One row is one attribute key as one version of one instrumentation sends it: is it understood?
--
-- `mapped`: it fills a column, or is the content of a call. `unreadable`: it should, but what stood there could not be
-- read (cut off, or not the JSON it was to be) on `unreadable_spans` of the spans. `kept`: it means nothing here, and is
-- kept as sent. Rule: attributes in `attributes`, and those moved to `contents`, whose references name them.
SELECT
    dialect, scope_name, scope_version, key,
    CASE WHEN NOT is_mapped THEN 'kept' WHEN unreadable_spans > 0 THEN 'unreadable' ELSE 'mapped' END AS state,
    spans, unreadable_spans, first_seen, last_seen
FROM (
    SELECT
        dialect, scope_name, scope_version, key,
        tracewell_mapped(key) AS is_mapped,
        count(DISTINCT span) AS spans,
        count(DISTINCT CASE WHEN unreadable THEN span END) AS unreadable_spans,
        min(start_time) AS first_seen, max(start_time) AS last_seen
    FROM (
        SELECT dialect, scope_name, scope_version, tenant || trace_id || span_id AS span, start_time, false AS unreadable,
            unnest(map_keys(attributes)) AS key
        FROM spans
        WHERE attributes IS NOT NULL
        UNION ALL
        SELECT dialect, scope_name, scope_version, span, start_time, unreadable AND ref['form'] = 'value', split_part(ref['source'], '@', 1)
        FROM (
            SELECT dialect, scope_name, scope_version, tenant || trace_id || span_id AS span, start_time,
                coalesce(array_has(flags, 'unparsable') OR array_has(flags, 'truncated'), false) AS unreadable,
                unnest(array_concat(
                    coalesce(input_refs, make_array()), coalesce(output_refs, make_array()), coalesce(payload_refs, make_array()),
                    CASE WHEN system_ref IS NULL THEN make_array() ELSE make_array(system_ref) END,
                    CASE WHEN tools_ref IS NULL THEN make_array() ELSE make_array(tools_ref) END)) AS ref
            FROM spans
        ) AS moved
        WHERE ref['source'] NOT LIKE 'event:%'
    ) AS carried
    GROUP BY dialect, scope_name, scope_version, key
) AS counted
