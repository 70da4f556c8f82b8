-- Take back what a stop by reply did to a number: what a START reply does, or a person who has read
-- a reply that counted as a stop unread.
-- Grain: the number itself (contact_id 0), and every contact that the stop took out, however the
-- number was written. What was pressed on a landing page, or said in the CRM or a shop, stands:
-- nothing but the same way back lifts it. No message that the stop has cancelled comes back.
-- Reads: core.phone_alias, outbox.reply. Reads and writes: core.suppression, core.contact (status).
-- Parameters: phone_hash; channel; at: when it was said; is_unread_only: only what stands because
-- nobody had read a reply.
-- Twice: what is lifted stays so, with its first date.
-- It runs as the warehouse's owner, and finds nothing by a search path: strangers reach the link
-- service, which may change or take back a suppression through such functions alone.
CREATE OR REPLACE FUNCTION core.opt_in_phone(
    phone_hash text, channel text, at timestamptz, is_unread_only boolean
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH lifted AS (
        UPDATE core.suppression AS suppression
        SET lifted_at = $3
        WHERE
            suppression.phone_hash = ANY(core.phone_hashes($1))
            AND suppression.channel = $2
            AND suppression.reason = 'opted_out'
            AND core.is_by_reply(suppression.source)
            AND (suppression.source = 'unread' OR NOT $4)
            AND (
                suppression.since < $3
                OR (suppression.source = 'unread' AND suppression.since = $3)
            )
            AND suppression.lifted_at IS NULL
            -- Who calls this need not be believed: the reply that says so is there.
            AND EXISTS (
                SELECT 1
                FROM outbox.reply AS said
                WHERE
                    said.phone_hash = ANY(core.phone_hashes($1))
                    AND said.received_at >= $3
                    AND (said.meaning = 'start' OR ($4 AND said.reviewed_at IS NOT NULL))
            )
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
$$;

REVOKE ALL ON FUNCTION core.opt_in_phone FROM PUBLIC;
