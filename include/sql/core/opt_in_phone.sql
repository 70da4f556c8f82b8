-- Take back what a stop by reply did to a number: what a START reply does, or a person who has read
-- a reply that counted as a stop unread.
-- Grain: the number itself (contact_id 0), and every contact that the stop took out, however the number
-- was written. What was pressed on a landing page, or said in the CRM or a shop, stands: nothing but
-- the same way back lifts it. No message that the stop has cancelled comes back.
-- Reads: core.phone_alias. Reads and writes: core.suppression, core.contact (status).
-- Parameters: phone_hash; channel; at: when it was said; is_unread_only: only what stands because nobody
-- had read a reply.
-- Twice: what is lifted stays so, with its first date.
WITH lifted AS (
    UPDATE core.suppression AS suppression
    SET lifted_at = :at
    WHERE
        suppression.phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
        AND suppression.channel = :channel
        AND suppression.reason = 'opted_out'
        AND core.is_by_reply(suppression.source)
        AND (suppression.source = 'unread' OR NOT CAST(:is_unread_only AS boolean))
        AND (
            suppression.since < :at
            OR (suppression.source = 'unread' AND suppression.since = :at)
        )
        AND suppression.lifted_at IS NULL
    RETURNING suppression.contact_id, suppression.suppression_id
)

UPDATE core.contact AS contact
SET status = 'active'
FROM lifted
WHERE
    contact.contact_id = lifted.contact_id
    AND contact.status = 'unsubscribed'
    AND NOT EXISTS (
        SELECT 1
        FROM core.suppression AS other
        WHERE
            other.contact_id = contact.contact_id
            AND other.reason IN ('opted_out', 'inactivity')
            AND other.lifted_at IS NULL
            AND NOT EXISTS (
                SELECT 1
                FROM lifted AS gone
                WHERE
                    gone.contact_id = other.contact_id
                    AND gone.suppression_id = other.suppression_id
            )
    );
