-- title: Senders
-- question: Who sends what: which services, with which SDKs and instrumentations, of which versions?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: most bigint = 50 | At most this many rows
-- A log record that was sent again counts again; a span does not.
WITH received AS (
    SELECT
        service, service_version, resource_attributes, dialect, scope_name, scope_version, start_time AS time,
        tenant || trace_id || span_id AS span, NULL AS record
    FROM spans
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
    UNION ALL
    SELECT
        service, service_version, resource_attributes, dialect, scope_name, scope_version, time,
        NULL AS span, 1 AS record
    FROM logs
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND time >= $since AND time < $until
)
SELECT
    service, service_version,
    resource_attributes['telemetry.sdk.language'] AS language,
    resource_attributes['telemetry.sdk.version'] AS sdk_version,
    dialect, scope_name, scope_version,
    count(DISTINCT span) AS spans,
    count(record) AS log_records,
    min(time) AS first_time,
    max(time) AS last_time
FROM received
GROUP BY service, service_version, resource_attributes['telemetry.sdk.language'],
    resource_attributes['telemetry.sdk.version'], dialect, scope_name, scope_version
ORDER BY spans DESC, log_records DESC, service, scope_name, scope_version, dialect
LIMIT $most
