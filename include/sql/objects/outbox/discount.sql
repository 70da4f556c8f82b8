-- What a coupon took off an order. amounts: what the order's amount is: paid, the coupon is off it
-- already; full, before its coupon. NULL: it cannot be told, as of an order that 100 percent has paid.
CREATE OR REPLACE FUNCTION outbox.discount(
    kind outbox.coupon_kind, value numeric, amount numeric, amounts text
) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        CASE
            WHEN kind = 'value' AND amounts = 'full' THEN least(value, amount)
            WHEN kind = 'value' THEN value
            WHEN amounts = 'full' THEN amount * value / 100
            ELSE amount * value / nullif(100 - value, 0)
        END
$$;
