-- purpose: why a contact may not be written to now: its own rows, and the ones that stand for its
--          number, whosever they are; what is said of a number alone, of the one it has now
-- grain: reason; reads: core.suppression (by contact, by phone), core.contact, core.phone_alias
-- writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT
    standing.reason,
    min(standing.since) AS since
FROM (
    SELECT
        own.reason,
        own.since
    FROM core.suppression AS own
    WHERE
        own.contact_id = cast(:contact_id AS bigint)
        AND own.lifted_at IS NULL
        AND own.scope = 'person'
    UNION ALL
    SELECT
        suppression.reason,
        suppression.since
    FROM core.contact AS contact
    INNER JOIN core.suppression AS suppression
        ON
            suppression.phone_hash = any(core.phone_hashes(contact.phone_hash))
            AND suppression.lifted_at IS NULL
    WHERE contact.contact_id = cast(:contact_id AS bigint)
) AS standing
GROUP BY standing.reason
ORDER BY since;
