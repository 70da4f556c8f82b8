-- The interactions of a load, with the contacts they belong to: what the next statements of the load
-- read.
-- Grain: interaction. Reads: raw.interaction, core.contact_identity. Writes: the temporary table
-- arrived. Parameters: load_id. Gone with the transaction.
DROP TABLE IF EXISTS arrived;

CREATE TEMPORARY TABLE arrived ON COMMIT DROP AS
SELECT
    identity.contact_id,
    row.source,
    row.record_key,
    CAST(row.kind AS core.interaction_kind) AS kind,
    row.occurred_at,
    row.dated_on,
    row.amount,
    row.currency,
    row.product_id,
    row.coupon_code
FROM raw.interaction AS row
INNER JOIN core.contact_identity AS identity
    ON
        row.contact_source = identity.source
        AND row.source_contact_id = identity.source_contact_id
WHERE row.load_id = :load_id AND row.status = 'loaded';

ANALYZE arrived;
