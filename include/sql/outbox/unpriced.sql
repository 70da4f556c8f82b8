-- The bulks with messages that are over and whose price the provider has not told yet.
-- Grain: bulk. Reads: outbox.message. Parameters: provider, since. Writes nothing.
SELECT DISTINCT message.bulk_id
FROM outbox.message AS message
WHERE
    message.status IN ('delivered', 'undelivered', 'expired')
    AND message.price IS NULL
    AND message.provider = :provider
    AND message.accepted_at >= :since
ORDER BY message.bulk_id;
