-- purpose: why a contact may not be written to, now or in the past: its own rows, and the ones
--          that stand for its number
-- grain: suppression; reads: core.suppression (by contact, by phone), core.contact
-- writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT
    channel,
    reason,
    source,
    since,
    lifted_at
FROM core.suppression
WHERE contact_id = cast(:contact_id AS bigint)
UNION ALL
SELECT
    suppression.channel,
    suppression.reason,
    suppression.source,
    suppression.since,
    suppression.lifted_at
FROM core.contact AS contact
INNER JOIN core.suppression AS suppression
    ON contact.phone_hash = suppression.phone_hash AND suppression.lifted_at IS NULL
WHERE
    contact.contact_id = cast(:contact_id AS bigint)
    AND suppression.contact_id <> contact.contact_id
ORDER BY since;
