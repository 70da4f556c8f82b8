-- What is still to be sent.
-- Grain: one row. Reads: outbox.message. Parameters: none. Writes nothing.
SELECT
    count(*) FILTER (WHERE message.status = 'queued') AS queued,
    count(*) FILTER (WHERE message.status IN ('sending', 'unknown')) AS in_doubt,
    max(message.not_before) FILTER (WHERE message.status = 'queued') AS last_not_before,
    min(message.not_before) FILTER (WHERE message.status = 'queued') AS first_not_before
FROM outbox.message AS message
WHERE message.status IN ('queued', 'sending', 'unknown');
