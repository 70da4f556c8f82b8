-- Note which coupons orders have used, or use no more: the first use counts. A code may stand among
-- others, or in words.
-- Grain: coupon whose code is told. Reads: the temporary table told_code, outbox.redemption (by
-- interaction_by_code). Writes: outbox.coupon. No parameters. Twice: the same values.
WITH named AS (
    SELECT DISTINCT unnest(outbox.code_keys(told_code.coupon_code)) AS code_key
    FROM told_code
),

used AS (
    SELECT
        coupon.code,
        first_use.occurred_at,
        first_use.order_ref
    FROM named
    INNER JOIN outbox.coupon AS coupon ON named.code_key = coupon.code_key
    LEFT JOIN
        LATERAL (
            SELECT
                redemption.occurred_at,
                redemption.order_ref
            FROM outbox.redemption AS redemption
            WHERE redemption.code = coupon.code AND redemption.message_id = coupon.message_id
            ORDER BY redemption.occurred_at, redemption.order_ref
            LIMIT 1
        ) AS first_use
        ON TRUE
)

UPDATE outbox.coupon AS coupon
SET redeemed_at = used.occurred_at, order_ref = used.order_ref
FROM used
WHERE
    coupon.code = used.code
    AND (coupon.redeemed_at, coupon.order_ref)
    IS DISTINCT FROM (used.occurred_at, used.order_ref);
