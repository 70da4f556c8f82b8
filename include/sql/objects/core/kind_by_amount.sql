-- What an order is, by its amount: less than nothing goes back, and is a sign of nothing; an order
-- of nothing is a sign of life, but no purchase, unless a coupon of ours has paid for it.
CREATE OR REPLACE FUNCTION core.kind_by_amount(
    kind core.interaction_kind, amount numeric, is_paid_by_us boolean
) RETURNS core.interaction_kind LANGUAGE sql IMMUTABLE AS $$
SELECT
    CASE
        WHEN core.is_order(kind) AND amount < 0
            THEN CAST('refund' AS core.interaction_kind)
        WHEN kind = 'purchase' AND amount = 0 AND NOT is_paid_by_us
            THEN CAST('visit' AS core.interaction_kind)
        ELSE kind
    END
$$;
