-- Of the texts that the provider took in a span of time, those whose contact, or number, has said
-- stop since and stands by it. A text is taken within days of its decision, so from_day bounds what
-- is read.
-- Grain: one row. Reads: outbox.message (by message_by_day), core.suppression,
-- core.phone_alias. Parameters: from_day, as_of, from_at, until_at, channel. Writes nothing.
SELECT
    count(*) AS texts,
    count(*) FILTER (
        WHERE EXISTS (
            SELECT 1
            FROM core.suppression AS suppression
            WHERE
                suppression.contact_id = message.contact_id
                AND suppression.channel = :channel
                AND suppression.reason = 'opted_out'
                AND suppression.since >= message.accepted_at
                AND suppression.lifted_at IS NULL
        )
        OR EXISTS (
            SELECT 1
            FROM core.suppression AS suppression
            WHERE
                suppression.phone_hash = ANY(core.phone_hashes(message.phone_hash))
                AND suppression.channel = :channel
                AND suppression.reason = 'opted_out'
                AND suppression.since >= message.accepted_at
                AND suppression.lifted_at IS NULL
        )
    ) AS opted_out
FROM outbox.message AS message
WHERE
    message.as_of BETWEEN :from_day AND :as_of
    AND message.channel = :channel
    AND message.accepted_at >= :from_at
    AND message.accepted_at < :until_at;
