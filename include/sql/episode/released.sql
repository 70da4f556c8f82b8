-- Whose hold may be over, by what has changed since: their card or consent; a suppression that was
-- lifted, of the person or of the number; a reply that was read, however long ago it was written; or
-- what another says now who may hold them, as their number is the same or a card or id ties them.
-- Grain: contact with an open episode; load_id, at: when that changed last. Reads: cohort.episode,
-- core.contact, core.consent, core.stop_tie, core.suppression, core.phone_alias, outbox.reply. Writes:
-- the temporary tables freeing and released. Parameters: after_load_id, after. Twice: the same rows.
DROP TABLE IF EXISTS freeing;

-- Whose stop may be over: a person's with the number it was said on, or a number's alone. Of consents,
-- theirs who have ever withdrawn, and say something else now, or were corrected.
CREATE TEMPORARY TABLE freeing ON COMMIT DROP AS
SELECT
    consent.contact_id,
    holder.phone_hash,
    TRUE AS is_of_person,
    max(consent.load_id) AS load_id,
    CAST(NULL AS timestamptz) AS at
FROM core.consent AS consent
INNER JOIN core.contact AS holder ON consent.contact_id = holder.contact_id
WHERE
    consent.load_id > CAST(:after_load_id AS bigint)
    AND EXISTS (
        SELECT 1
        FROM core.consent AS past
        WHERE past.contact_id = consent.contact_id AND past.withdrawn_at IS NOT NULL
    )
GROUP BY consent.contact_id, holder.phone_hash
UNION ALL
SELECT
    suppression.contact_id,
    suppression.phone_hash,
    suppression.scope = 'person',
    NULL,
    suppression.lifted_at
FROM core.suppression AS suppression
WHERE suppression.lifted_at > CAST(:after AS timestamptz)
UNION ALL
SELECT
    NULL,
    reply.phone_hash,
    FALSE,
    NULL,
    reply.reviewed_at
FROM outbox.reply AS reply
WHERE reply.meaning <> 'stop' AND reply.reviewed_at > CAST(:after AS timestamptz);

ANALYZE freeing;

DROP TABLE IF EXISTS released;

CREATE TEMPORARY TABLE released ON COMMIT DROP AS
SELECT
    episode.contact_id,
    max(change.load_id) AS load_id,
    max(change.at) AS at
FROM (
    SELECT
        contact.contact_id,
        contact.updated_load_id AS load_id,
        CAST(NULL AS timestamptz) AS at
    FROM core.contact AS contact
    WHERE contact.updated_load_id > CAST(:after_load_id AS bigint)
    UNION ALL
    SELECT
        consent.contact_id,
        consent.load_id,
        NULL
    FROM core.consent AS consent
    WHERE consent.load_id > CAST(:after_load_id AS bigint)
    UNION ALL
    SELECT
        freeing.contact_id,
        freeing.load_id,
        freeing.at
    FROM freeing
    WHERE freeing.is_of_person
    UNION ALL
    SELECT
        tie.contact_id,
        freeing.load_id,
        freeing.at
    FROM freeing
    INNER JOIN core.stop_tie AS tie ON freeing.contact_id = tie.by_contact_id
    WHERE freeing.is_of_person
    UNION ALL
    SELECT
        contact.contact_id,
        freeing.load_id,
        freeing.at
    FROM freeing
    INNER JOIN core.contact AS contact ON freeing.phone_hash = contact.phone_hash
    UNION ALL
    SELECT
        contact.contact_id,
        freeing.load_id,
        freeing.at
    FROM freeing
    INNER JOIN core.phone_alias AS alias ON freeing.phone_hash = alias.phone_hash
    INNER JOIN core.contact AS contact ON alias.alias_hash = contact.phone_hash
) AS change
INNER JOIN cohort.episode AS episode
    ON change.contact_id = episode.contact_id AND episode.closed_on IS NULL
-- What is said of a card that was merged is no longer looked at.
INNER JOIN core.contact AS person
    ON episode.contact_id = person.contact_id AND person.merged_into IS NULL
GROUP BY episode.contact_id;
