-- The bulks with messages whose delivery is still open, as long as the provider keeps its log.
-- Grain: bulk. Reads: outbox.message. Parameters: provider, since. Writes nothing.
SELECT DISTINCT message.bulk_id
FROM outbox.message AS message
WHERE
    message.status = 'accepted'
    AND message.provider = :provider
    AND message.accepted_at >= :since
ORDER BY message.bulk_id;
