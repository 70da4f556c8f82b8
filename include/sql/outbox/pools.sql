-- The stock of the pools: codes that nobody was given, codes given to a message, and of these the
-- codes that were used in an order.
-- Grain: pool. Reads: outbox.pool_code, outbox.coupon. No parameters. Writes nothing.
SELECT
    pool_code.pool,
    count(*) FILTER (WHERE pool_code.message_id IS NULL) AS free,
    count(pool_code.message_id) AS given_out,
    count(coupon.redeemed_at) AS used
FROM outbox.pool_code AS pool_code
LEFT JOIN outbox.coupon AS coupon ON pool_code.code_key = coupon.code_key
GROUP BY pool_code.pool
ORDER BY pool_code.pool;
