-- title: Messages with words
-- question: In which messages do these words stand?
-- param: words text | The words, or the phrase; case and what stands between them do not matter
-- param: phrase boolean = false | They stand together, in this order
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: role text = NULL | Only messages of this speaker: user, assistant, system, tool
-- param: service text = NULL | Only this service
-- param: most bigint = 50 | At most this many rows, the newest
-- Searched is what was said (see `message_text`), by whole words. A message that a run sends again at each step is one row.
SELECT
    min(start_time) AS first_sent, trace_id,
    first_value(span_id ORDER BY start_time, span_id) AS span_id,
    service, direction, role,
    count(*) AS times,
    left(message_text(min(content)), 300) AS text
FROM messages
WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
    AND start_time >= $since AND start_time < $until
    AND ($role IS NULL OR role = $role)
    AND ($service IS NULL OR service = $service)
    AND CASE WHEN $phrase THEN has_phrase(message_text(content), $words) ELSE has_words(message_text(content), $words) END
GROUP BY tenant, trace_id, service, direction, role, hash
ORDER BY first_sent DESC, trace_id, span_id, direction
LIMIT $most
