-- Leave a contact alone until a day: what a press on the page's button for a break does.
-- Grain: a contact and, where it was merged into another since its message, the other one: they are
-- one person. A break holds for the number, as every suppression does; what is queued is cancelled
-- when a sender claims it.
-- Reads: core.contact. Writes: core.suppression.
-- Parameters: contact_id; phone_hash: of the number the person was written to, NULL where it is not
-- known (then the contact's own); channel; source: what wrote it; at: when; until_on: the first
-- brand day after the break.
-- Running it twice leaves one break; another end replaces the first, unless it was asked for later;
-- one that was ended later does not begin again.
-- It runs as the warehouse's owner, and finds nothing by a search path: strangers reach the link
-- service, which may change or take back a suppression through such functions alone.
CREATE OR REPLACE FUNCTION core.pause(
    contact_id bigint, phone_hash text, channel text, source text, at timestamptz, until_on date
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since, until)
    SELECT
        person.contact_id,
        coalesce($2, known.phone_hash),
        $3,
        CAST('paused' AS core.suppression_reason),
        $4,
        $5,
        $6
    FROM (
        SELECT $1 AS contact_id
        UNION
        SELECT merged_into
        FROM core.contact
        WHERE contact_id = $1 AND merged_into IS NOT NULL
    ) AS person
    LEFT JOIN core.contact AS known ON person.contact_id = known.contact_id
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM core.suppression AS ended
            WHERE
                ended.contact_id = person.contact_id
                AND ended.channel = $3
                AND ended.reason = 'paused'
                AND ended.lifted_at > $5
        )
    ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
    DO UPDATE
        SET until = excluded.until, since = excluded.since
        WHERE suppression.since <= excluded.since;
$$;

REVOKE ALL ON FUNCTION core.pause FROM PUBLIC;
