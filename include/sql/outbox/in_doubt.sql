-- The bulks of which it is not certain what became of them, and who claimed them.
-- Grain: bulk × claimer. Reads: outbox.message. Parameters: provider. Writes nothing.
SELECT
    message.bulk_id,
    message.claimed_by,
    max(message.claimed_at) AS claimed_at,
    count(*) AS messages
FROM outbox.message AS message
WHERE message.status IN ('sending', 'unknown') AND message.provider = :provider
GROUP BY message.bulk_id, message.claimed_by
ORDER BY message.bulk_id;
