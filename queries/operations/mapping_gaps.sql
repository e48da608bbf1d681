-- title: Mapping gaps
-- question: Which attributes are not understood, and kept as sent, or could not be read?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: dialect text = NULL | Only this dialect
-- param: most bigint = 50 | At most this many rows
-- Attributes that were seen in the period; the counts are over all time. Those of plain spans and log records are left
-- out. `event_name` is the event of log records, NULL for spans.
SELECT dialect, scope_name, scope_version, event_name, key, state, spans, unreadable_spans, first_seen, last_seen
FROM mapping_coverage
WHERE last_seen >= $since AND first_seen < $until
    AND ($dialect IS NULL OR dialect = $dialect)
    AND state <> 'mapped' AND dialect <> 'plain'
ORDER BY state DESC, spans DESC, dialect, scope_name, scope_version, event_name, key
LIMIT $most
