-- purpose: the last things a contact did
-- grain: interaction; reads: core.interaction; writes: nothing
-- parameters: contact_id, row_limit
-- twice: it only reads
SELECT
    kind,
    source,
    occurred_at,
    amount,
    currency
FROM core.interaction
WHERE contact_id = cast(:contact_id AS bigint)
ORDER BY occurred_at DESC
LIMIT cast(:row_limit AS bigint);
