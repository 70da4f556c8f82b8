-- The starts that have not taken back a stop yet. What was not said by reply, or told by the
-- provider of a reply, is not theirs to take back; a stop of the same moment wins, and a later one.
-- Grain: number. Reads: outbox.reply, core.suppression, core.phone_alias. Parameters: channel. Writes
-- nothing.
SELECT
    reply.phone_hash,
    max(reply.received_at) AS received_at
FROM outbox.reply AS reply
CROSS JOIN LATERAL (SELECT core.phone_hashes(reply.phone_hash) AS phone_hashes) AS number
WHERE
    reply.meaning = 'start'
    AND EXISTS (
        SELECT 1
        FROM core.suppression AS suppression
        WHERE
            suppression.phone_hash = ANY(number.phone_hashes)
            AND suppression.channel = :channel
            AND suppression.reason = 'opted_out'
            AND core.is_by_reply(suppression.source)
            AND suppression.lifted_at IS NULL
            AND suppression.since < reply.received_at
    )
    AND NOT EXISTS (
        SELECT 1
        FROM outbox.reply AS later
        WHERE
            later.phone_hash = ANY(number.phone_hashes)
            AND later.meaning = 'stop'
            AND later.received_at >= reply.received_at
    )
GROUP BY reply.phone_hash
ORDER BY reply.phone_hash;
