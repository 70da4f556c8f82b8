-- Move what stands in some pages of the old table. Grain: interaction. Parameters: first, after (pages).
INSERT INTO core.interaction
SELECT
    old.contact_id,
    old.source,
    old.source_event_id,
    old.kind,
    old.occurred_at,
    old.occurred_on,
    old.amount,
    old.currency,
    old.product_id,
    old.coupon_code,
    old.loaded_at,
    old.load_id,
    old.is_settled
FROM core.interaction_of_all_months AS old
WHERE
    old.ctid >= CAST('(' || CAST(:first AS bigint) || ',0)' AS tid)
    AND old.ctid < CAST('(' || CAST(:after AS bigint) || ',0)' AS tid);
