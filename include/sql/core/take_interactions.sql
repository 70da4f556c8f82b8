-- Take the load's interactions, month by month and by contact: neighbours in the index are written
-- together.
-- Grain: interaction. Reads: the temporary table arrived. Writes: core.interaction (its months are
-- there).
-- Parameters: load_id, at. Twice: the same rows.
INSERT INTO core.interaction (
    contact_id, source, source_event_id, kind, occurred_at, occurred_on, amount, currency,
    product_id, coupon_code, loaded_at, load_id
)
SELECT
    arrived.contact_id,
    arrived.source,
    arrived.record_key,
    arrived.kind,
    arrived.occurred_at,
    arrived.dated_on,
    arrived.amount,
    arrived.currency,
    arrived.product_id,
    arrived.coupon_code,
    :at,
    :load_id
FROM arrived
ORDER BY
    date_trunc('month', CAST(arrived.dated_on AS timestamp)), arrived.contact_id,
    arrived.dated_on, arrived.source, arrived.record_key
ON CONFLICT (contact_id, occurred_on, source, source_event_id) DO UPDATE
    SET
        kind = excluded.kind,
        occurred_at = excluded.occurred_at,
        amount = excluded.amount,
        currency = excluded.currency,
        product_id = excluded.product_id,
        coupon_code = excluded.coupon_code,
        is_settled = NULL,
        loaded_at = excluded.loaded_at,
        load_id = excluded.load_id;
