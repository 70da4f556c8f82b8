-- End a break that a person asked for, because they press the button for it. That they did is kept
-- where there is none, too: a break that was asked for before, but comes later, does not begin.
-- Grain: suppression of the contact, of the one it was merged into, or of the number.
-- Reads: core.contact, core.phone_alias. Writes: core.suppression. Parameters: contact_id; phone_hash: of the number,
-- NULL where it is not known; channel; at: when; a break that was asked for later stays, as an
-- opt-out does. Twice: nothing is left to lift.
UPDATE core.suppression
SET lifted_at = CAST(:at AS timestamptz)
WHERE
    suppression.reason = 'paused'
    AND suppression.lifted_at IS NULL
    AND suppression.since <= CAST(:at AS timestamptz)
    AND suppression.channel = :channel
    AND (
        suppression.contact_id = :contact_id
        OR suppression.contact_id = (
            SELECT contact.merged_into
            FROM core.contact AS contact
            WHERE contact.contact_id = :contact_id
        )
        OR suppression.phone_hash = ANY(core.phone_hashes(CAST(:phone_hash AS text)))
    );

INSERT INTO core.suppression (contact_id, channel, reason, source, since, lifted_at)
SELECT
    person.contact_id,
    CAST(:channel AS text),
    CAST('paused' AS core.suppression_reason),
    'landing',
    CAST(:at AS timestamptz),
    CAST(:at AS timestamptz)
FROM (
    SELECT CAST(:contact_id AS bigint) AS contact_id
    UNION
    SELECT contact.merged_into
    FROM core.contact AS contact
    WHERE contact.contact_id = :contact_id AND contact.merged_into IS NOT NULL
) AS person
WHERE NOT EXISTS (
    SELECT 1
    FROM core.suppression AS ended
    WHERE
        ended.contact_id = person.contact_id
        AND ended.channel = :channel
        AND ended.reason = 'paused'
        AND ended.lifted_at >= CAST(:at AS timestamptz)
);
