-- One row is one text that was sent or received: a message, a payload of a tool, a document.
--
-- Rule: `contents` may have a text more than once, for it is stored before anyone knows that it is known; (tenant,
-- date, hash) names the same bytes always. Views that join this one by all three look only for what they name.
SELECT tenant, date, hash, max(content) AS content
FROM contents
GROUP BY tenant, date, hash
