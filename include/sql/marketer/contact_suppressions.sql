-- purpose: why a contact may not be written to now
-- grain: reason; reads: core.contact_suppression; writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT
    held.reason,
    min(held.since) AS since
FROM core.contact_suppression AS held
WHERE held.contact_id = cast(:contact_id AS bigint)
GROUP BY held.reason
ORDER BY since;
