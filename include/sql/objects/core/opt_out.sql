-- Opt a contact out: what a press on the landing page's button does.
-- Grain: a contact and, where it was merged into another since its message, the other one: they are
-- one person. Messages to the number that are not out yet are cancelled, whosever they are: an
-- opt-out holds for the number.
-- Reads: core.contact, core.phone_alias. Writes: core.suppression, core.contact (status),
-- outbox.message.
-- Parameters: contact_id; phone_hash: of the number the person was written to, NULL where it is not
-- known (then the contact's own); channel; source: what wrote it, landing or reply; at: when.
-- Running it twice leaves the first opt-out as it is, but for a source that is harder to take back:
-- one stands at a time, by a unique index. An erased contact stays erased. A stop by reply can be
-- taken back by reply. One that was pressed, too, no longer.
-- It runs as the warehouse's owner, and finds nothing by a search path: strangers reach the link
-- service, which may change or take back a suppression through such functions alone.
CREATE OR REPLACE FUNCTION core.opt_out(
    contact_id bigint, phone_hash text, channel text, source text, at timestamptz
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
    SELECT
        person.contact_id,
        coalesce($2, known.phone_hash),
        $3,
        CAST('opted_out' AS core.suppression_reason),
        $4,
        $5
    FROM (
        SELECT $1 AS contact_id
        UNION
        SELECT merged_into
        FROM core.contact
        WHERE contact_id = $1 AND merged_into IS NOT NULL
    ) AS person
    LEFT JOIN core.contact AS known ON person.contact_id = known.contact_id
    ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
    DO UPDATE
        SET source = excluded.source
        WHERE
            core.is_by_reply(suppression.source)
            AND NOT core.is_by_reply(excluded.source);

    UPDATE core.contact
    SET status = 'unsubscribed'
    WHERE
        (
            contact_id = $1
            OR contact_id = (
                SELECT merged.merged_into
                FROM core.contact AS merged
                WHERE merged.contact_id = $1
            )
        )
        AND status = 'active';

    UPDATE outbox.message
    SET
        status = 'cancelled',
        status_at = $5,
        error_code = 'opted_out'
    WHERE
        channel = $3
        AND status IN ('draft', 'queued')
        AND (
            contact_id = $1
            OR contact_id = (
                SELECT merged.merged_into
                FROM core.contact AS merged
                WHERE merged.contact_id = $1
            )
            OR phone_hash = ANY(core.phone_hashes($2))
        );
$$;

REVOKE ALL ON FUNCTION core.opt_out FROM PUBLIC;
