-- Opt a number out: what a STOP reply does, which names a number and no contact.
-- Grain: the number itself (contact_id 0), and every contact that has the number, however it is
-- written, had a message on it, or took over such a contact in a merge. Their messages that are not out
-- yet are cancelled, and all others to the number.
-- Reads: core.contact, core.phone_alias, outbox.message. Writes: core.suppression, core.contact
-- (status), outbox.message.
-- Parameters: phone_hash; channel; source: what wrote it (`unread`: nobody had read a reply in time);
-- at: when.
-- Running it twice leaves the first opt-out as it is: one stands at a time, by a unique index; but a
-- clear stop takes the place of a reply that nobody had read. An erased contact stays erased.
INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
SELECT
    person.contact_id,
    CAST(:phone_hash AS text),
    CAST(:channel AS text),
    CAST('opted_out' AS core.suppression_reason),
    CAST(:source AS text),
    CAST(:at AS timestamptz)
FROM (
    SELECT contact_id
    FROM core.contact
    WHERE phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
    UNION
    SELECT merged_into
    FROM core.contact
    WHERE
        phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
        AND merged_into IS NOT NULL
    UNION
    SELECT contact_id
    FROM outbox.message
    WHERE phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
    UNION
    -- The number itself, whoever has it tomorrow.
    SELECT 0
) AS person
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
DO UPDATE
    SET source = excluded.source
    WHERE suppression.source = 'unread' AND excluded.source <> 'unread';

UPDATE core.contact
SET status = 'unsubscribed'
WHERE
    status = 'active'
    AND contact_id IN (
        SELECT contact_id
        FROM core.contact
        WHERE phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
        UNION
        SELECT merged_into
        FROM core.contact
        WHERE
            phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
            AND merged_into IS NOT NULL
        UNION
        SELECT contact_id
        FROM outbox.message
        WHERE phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
    );

UPDATE outbox.message
SET
    status = 'cancelled',
    status_at = :at,
    error_code = 'opted_out'
WHERE
    channel = :channel
    AND status IN ('draft', 'queued')
    AND (
        phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
        OR contact_id IN (
            SELECT suppression.contact_id
            FROM core.suppression
            WHERE
                suppression.phone_hash = :phone_hash
                AND suppression.channel = :channel
                AND suppression.reason = 'opted_out'
                AND suppression.lifted_at IS NULL
        )
    );
