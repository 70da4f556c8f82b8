-- The stops that were kept and have not become an opt-out yet: whoever kept them was killed then. What
-- stands because nobody had read a reply does not stand for a clear stop: it may be taken back alone.
-- Grain: number. Reads: outbox.reply, core.suppression. Parameters: channel. Writes nothing.
SELECT
    reply.phone_hash,
    bool_and(reply.counted_at IS NOT NULL) AS is_unread,
    max(reply.received_at) AS received_at
FROM outbox.reply AS reply
WHERE
    reply.meaning = 'stop'
    AND NOT EXISTS (
        SELECT 1
        FROM core.suppression AS suppression
        WHERE
            suppression.contact_id = 0
            AND suppression.phone_hash = reply.phone_hash
            AND suppression.channel = :channel
            AND suppression.reason = 'opted_out'
            AND (suppression.lifted_at IS NULL OR suppression.lifted_at > reply.received_at)
            AND (suppression.source <> 'unread' OR reply.counted_at IS NOT NULL)
    )
GROUP BY reply.phone_hash
ORDER BY reply.phone_hash;
