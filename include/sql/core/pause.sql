-- Leave a contact alone until a day: what a press on the page's button for a break does.
-- Grain: a contact and, where it was merged into another since its message, the other one: they are
-- one person. A break holds for the number, as every suppression does; what is queued is cancelled
-- when a sender claims it.
-- Reads: core.contact. Writes: core.suppression.
-- Parameters: contact_id; phone_hash: of the number the person was written to, NULL where it is not
-- known (then the contact's own); channel; source: what wrote it; at: when; until_on: the first
-- brand day after the break.
-- Running it twice leaves one break; another end replaces the first, unless it was asked for later; one
-- that was ended later does not begin again.
INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since, until)
SELECT
    person.contact_id,
    coalesce(CAST(:phone_hash AS text), known.phone_hash),
    CAST(:channel AS text),
    CAST('paused' AS core.suppression_reason),
    CAST(:source AS text),
    CAST(:at AS timestamptz),
    CAST(:until_on AS date)
FROM (
    SELECT CAST(:contact_id AS bigint) AS contact_id
    UNION
    SELECT merged_into
    FROM core.contact
    WHERE contact_id = :contact_id AND merged_into IS NOT NULL
) AS person
LEFT JOIN core.contact AS known ON person.contact_id = known.contact_id
WHERE
    NOT EXISTS (
        SELECT 1
        FROM core.suppression AS ended
        WHERE
            ended.contact_id = person.contact_id
            AND ended.channel = :channel
            AND ended.reason = 'paused'
            AND ended.lifted_at > CAST(:at AS timestamptz)
    )
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
DO UPDATE
    SET until = excluded.until, since = excluded.since
    WHERE suppression.since <= excluded.since;
