-- What of a bulk was, or may have been, handed over and is not settled or not priced yet, with what a
-- provider's log that does not know our ids can be searched by. One whose number has changed since
-- has no number here: it cannot be looked for by it, and the next claim cancels it.
-- `at` is the earliest that is known of the hand-over: by the wall, or by a simulation's clock.
-- Grain: message. Reads: outbox.message (by message_handed), core.contact, core.phone_alias.
-- Parameters: bulk_id. Writes nothing.
SELECT
    message.message_id,
    contact.phone_e164,
    message.body,
    message.provider_message_id,
    least(message.claimed_at, message.accepted_at, message.status_at) AS at
FROM outbox.message AS message
LEFT JOIN core.contact AS contact
    ON
        message.contact_id = contact.contact_id
        AND message.phone_hash = ANY(core.phone_hashes(contact.phone_hash))
WHERE
    message.bulk_id = :bulk_id
    AND (
        message.status IN ('sending', 'unknown', 'accepted')
        OR (
            message.price IS NULL AND message.status IN ('delivered', 'undelivered', 'expired')
        )
    )
ORDER BY message.message_id;
