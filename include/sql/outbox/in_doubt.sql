-- The bulks of which it is not certain what became of them, and who claimed them. What can never be
-- proved any more is not asked about again.
-- Grain: bulk × claimer. Reads: outbox.message. Parameters: provider. Writes nothing.
SELECT
    message.bulk_id,
    message.claimed_by,
    max(message.claimed_at) AS claimed_at,
    min(message.claimed_at) AS first_claimed_at,
    min(message.status_at) AS status_at,
    count(*) AS messages
FROM outbox.message AS message
WHERE
    message.status IN ('sending', 'unknown')
    AND (message.status = 'sending' OR message.error_code IS DISTINCT FROM 'unprovable')
    AND message.provider = :provider
GROUP BY message.bulk_id, message.claimed_by
ORDER BY message.bulk_id;
