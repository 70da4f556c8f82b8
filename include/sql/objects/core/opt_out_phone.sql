-- Opt a number out: what a STOP reply does, which names a number and no contact.
-- Grain: the number itself (contact_id 0), and every contact that has the number, however it is
-- written, had a message on it, or took over such a contact in a merge. Their messages that are not
-- out yet are cancelled, and all others to the number.
-- Reads: core.contact, core.phone_alias, outbox.message. Writes: core.suppression, core.contact
-- (status), outbox.message.
-- Parameters: phone_hash; channel; source: what wrote it (`unread`: nobody had read a reply in
-- time); at: when.
-- Running it twice leaves the first opt-out as it is: one stands at a time, by a unique index; but
-- a clear stop takes the place of a reply that nobody had read. An erased contact stays erased.
-- It runs as the warehouse's owner, and finds nothing by a search path: strangers reach the link
-- service, which may change or take back a suppression through such functions alone.
CREATE OR REPLACE FUNCTION core.opt_out_phone(
    phone_hash text, channel text, source text, at timestamptz
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
    SELECT
        person.contact_id,
        $1,
        $2,
        CAST('opted_out' AS core.suppression_reason),
        $3,
        $4
    FROM (
        SELECT contact_id
        FROM core.contact
        WHERE phone_hash = ANY(core.phone_hashes($1))
        UNION
        SELECT merged_into
        FROM core.contact
        WHERE
            phone_hash = ANY(core.phone_hashes($1))
            AND merged_into IS NOT NULL
        UNION
        SELECT contact_id
        FROM outbox.message
        WHERE phone_hash = ANY(core.phone_hashes($1))
        UNION
        -- The number itself, whoever has it tomorrow.
        SELECT 0
    ) AS person
    ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
    DO UPDATE
        SET source = excluded.source
        WHERE suppression.source = 'unread' AND excluded.source <> 'unread';

    -- As arrays: they are few, and looked up one by one, however many contacts and messages there are.
    UPDATE core.contact
    SET status = 'unsubscribed'
    WHERE
        status = 'active'
        AND contact_id = ANY(
            ARRAY(
                SELECT suppression.contact_id
                FROM core.suppression
                WHERE
                    suppression.phone_hash = $1
                    AND suppression.channel = $2
                    AND suppression.reason = 'opted_out'
                    AND suppression.lifted_at IS NULL
            )
        );

    UPDATE outbox.message
    SET
        status = 'cancelled',
        status_at = $4,
        error_code = 'opted_out'
    WHERE
        phone_hash = ANY(core.phone_hashes($1))
        AND channel = $2
        AND status IN ('draft', 'queued');

    UPDATE outbox.message
    SET
        status = 'cancelled',
        status_at = $4,
        error_code = 'opted_out'
    WHERE
        contact_id = ANY(
            ARRAY(
                SELECT suppression.contact_id
                FROM core.suppression
                WHERE
                    suppression.phone_hash = $1
                    AND suppression.channel = $2
                    AND suppression.reason = 'opted_out'
                    AND suppression.lifted_at IS NULL
            )
        )
        AND channel = $2
        AND status IN ('draft', 'queued');
$$;

REVOKE ALL ON FUNCTION core.opt_out_phone FROM PUBLIC;
