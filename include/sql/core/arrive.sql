-- The interactions of a load, with the contacts they belong to, as what they are: what the next
-- statements of the load read.
-- Grain: interaction. Reads: raw.interaction, core.contact_identity, outbox.coupon,
-- outbox.pool_code. Writes: the temporary table arrived. Parameters: load_id; are_zeros_nothing: an
-- order of 0 is no sign of life, unless a coupon of ours has paid for it. Gone with the transaction.
DROP TABLE IF EXISTS arrived;

CREATE TEMPORARY TABLE arrived ON COMMIT DROP AS
SELECT
    identity.contact_id,
    row.source,
    row.record_key,
    core.kind_by_amount(
        CAST(row.kind AS core.interaction_kind),
        row.amount,
        row.amount = 0 AND row.coupon_code IS NOT NULL AND outbox.names_our_code(row.coupon_code)
    ) AS kind,
    row.occurred_at,
    row.dated_on,
    row.amount,
    row.currency,
    row.product_id,
    row.coupon_code,
    row.kind = 'purchase' AND row.amount = 0 AS is_free
FROM raw.interaction AS row
INNER JOIN core.contact_identity AS identity
    ON
        row.contact_source = identity.source
        AND row.source_contact_id = identity.source_contact_id
WHERE row.load_id = :load_id AND row.status = 'loaded';

DELETE FROM arrived
WHERE
    CAST(:are_zeros_nothing AS boolean)
    AND arrived.is_free
    AND arrived.kind = 'visit';

ANALYZE arrived;

-- A refund under the id of its order has replaced what was bought under it: that is the order less
-- what was given back, as the last of its refunds says. What is given back whole is no order.
UPDATE arrived
SET
    kind = bought.kind,
    amount = bought.amount + arrived.amount,
    occurred_at = bought.occurred_at,
    dated_on = bought.dated_on,
    product_id = coalesce(bought.product_id, arrived.product_id),
    coupon_code = coalesce(bought.coupon_code, arrived.coupon_code)
FROM (
    SELECT DISTINCT ON (refund.source, refund.record_key)
        refund.source,
        refund.record_key,
        CAST(past.kind AS core.interaction_kind) AS kind,
        past.amount,
        past.occurred_at,
        past.dated_on,
        past.product_id,
        past.coupon_code
    FROM arrived AS refund
    INNER JOIN raw.interaction AS past
        ON
            refund.source = past.source
            AND refund.record_key = past.record_key
            AND refund.currency IS NOT DISTINCT FROM past.currency
    WHERE
        refund.kind = 'refund'
        AND past.status = 'superseded'
        AND core.is_order(CAST(past.kind AS core.interaction_kind))
        AND past.amount > 0
    ORDER BY
        refund.source ASC, refund.record_key ASC, past.load_id DESC, past.file_id DESC, past.line DESC
) AS bought
WHERE
    arrived.kind = 'refund'
    AND arrived.source = bought.source
    AND arrived.record_key = bought.record_key;

DELETE FROM arrived
WHERE core.is_order(arrived.kind) AND arrived.amount <= 0 AND NOT arrived.is_free;
