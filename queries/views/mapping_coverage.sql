-- One row is one attribute key as one version of one instrumentation sends it, on spans or on log records of one event:
-- is it understood?
--
-- `mapped`: it fills a column, or is the content of a call. `unreadable`: it should, but what stood there could not be
-- read (cut off, or not the JSON it was to be) on `unreadable_spans` of the spans. `kept`: it means nothing here, and is
-- kept as sent. Rule: attributes in `attributes`, and those moved to `contents`, whose references name them; the key
-- `body` is the body of a log record that was moved there. `event_name` is NULL for spans; a span or record that was
-- sent again counts once. Not in DuckDB, which has no functions that know what is mapped.
WITH records AS (
    SELECT
        coalesce(dialect, 'plain') AS dialect, scope_name, scope_version,
        coalesce(event_name, operation, '') AS event_name,
        concat_ws(' ', tenant, trace_id, span_id, time_unix_nano::text,
            tracewell_digest(body, attributes, input_refs, output_refs, system_ref)::text) AS record,
        time AS start_time, coalesce(array_has(flags, 'unparsable') OR array_has(flags, 'truncated'), false) AS unreadable,
        attributes, input_refs, output_refs, system_ref, tools_ref
    FROM logs
)
SELECT
    dialect, scope_name, scope_version, event_name, key,
    CASE WHEN NOT is_mapped THEN 'kept' WHEN unreadable_spans > 0 THEN 'unreadable' ELSE 'mapped' END AS state,
    spans, unreadable_spans, first_seen, last_seen
FROM (
    SELECT
        dialect, scope_name, scope_version, event_name, key,
        CASE WHEN event_name IS NULL THEN tracewell_mapped(key) ELSE tracewell_mapped_in_log(dialect, event_name, key) END AS is_mapped,
        count(DISTINCT span) AS spans,
        count(DISTINCT CASE WHEN unreadable THEN span END) AS unreadable_spans,
        min(start_time) AS first_seen, max(start_time) AS last_seen
    FROM (
        SELECT dialect, scope_name, scope_version, NULL AS event_name, tenant || trace_id || span_id AS span, start_time,
            false AS unreadable, unnest(map_keys(attributes)) AS key
        FROM spans
        WHERE attributes IS NOT NULL
        UNION ALL
        SELECT dialect, scope_name, scope_version, NULL, span, start_time, unreadable AND ref['form'] = 'value',
            split_part(ref['source'], '@', 1)
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
        UNION ALL
        SELECT dialect, scope_name, scope_version, event_name, record, start_time, false, unnest(map_keys(attributes))
        FROM records
        WHERE attributes IS NOT NULL
        UNION ALL
        SELECT dialect, scope_name, scope_version, event_name, record, start_time,
            unreadable AND ref['form'] IN ('value', 'event'), split_part(ref['source'], '@', 1)
        FROM (
            SELECT dialect, scope_name, scope_version, event_name, record, start_time, unreadable,
                unnest(array_concat(
                    coalesce(input_refs, make_array()), coalesce(output_refs, make_array()),
                    CASE WHEN system_ref IS NULL THEN make_array() ELSE make_array(system_ref) END,
                    CASE WHEN tools_ref IS NULL THEN make_array() ELSE make_array(tools_ref) END)) AS ref
            FROM records
        ) AS moved_of_records
    ) AS carried
    GROUP BY dialect, scope_name, scope_version, event_name, key
) AS counted
