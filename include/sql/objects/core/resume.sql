-- End a break that a person asked for, because they press the button for it. That they did is kept
-- where there is none, too: a break that was asked for before, but comes later, does not begin.
-- Grain: suppression of the contact, of the one it was merged into, or of the number.
-- Reads: core.contact, core.phone_alias. Writes: core.suppression. Parameters: contact_id;
-- phone_hash: of the number, NULL where it is not known; channel; at: when; a break that was asked
-- for later stays, as an opt-out does. Twice: nothing is left to lift.
-- It runs as the warehouse's owner, and finds nothing by a search path: strangers reach the link
-- service, which may change or take back a suppression through such functions alone.
CREATE OR REPLACE FUNCTION core.resume(
    contact_id bigint, phone_hash text, channel text, at timestamptz
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE core.suppression
    SET lifted_at = $4
    WHERE
        suppression.reason = 'paused'
        AND suppression.lifted_at IS NULL
        AND suppression.since <= $4
        AND suppression.channel = $3
        AND (
            suppression.contact_id = $1
            OR suppression.contact_id = (
                SELECT contact.merged_into
                FROM core.contact AS contact
                WHERE contact.contact_id = $1
            )
            OR suppression.phone_hash = ANY(core.phone_hashes($2))
        );

    INSERT INTO core.suppression (contact_id, channel, reason, source, since, lifted_at)
    SELECT
        person.contact_id,
        $3,
        CAST('paused' AS core.suppression_reason),
        'landing',
        $4,
        $4
    FROM (
        SELECT $1 AS contact_id
        UNION
        SELECT contact.merged_into
        FROM core.contact AS contact
        WHERE contact.contact_id = $1 AND contact.merged_into IS NOT NULL
    ) AS person
    WHERE NOT EXISTS (
        SELECT 1
        FROM core.suppression AS ended
        WHERE
            ended.contact_id = person.contact_id
            AND ended.channel = $3
            AND ended.reason = 'paused'
            AND ended.lifted_at >= $4
    );
$$;

REVOKE ALL ON FUNCTION core.resume FROM PUBLIC;
