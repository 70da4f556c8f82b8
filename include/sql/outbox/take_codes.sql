-- Give the day's messages the codes of their texts, for ever, and drop the drafts whose code went to
-- somebody else meanwhile (an incentive), or into an order. A message that was handed off keeps what
-- it has, and needs no other code.
-- Grain: draft; returns those that were dropped. Reads: outbox.message, outbox.used_code.
-- Writes: outbox.pool_code, the temporary table drafted. Parameters: channel, at.
-- Twice: a code that is taken is not taken again.
DELETE FROM drafted
USING outbox.message AS message
WHERE
    drafted.contact_id = message.contact_id
    AND drafted.dormant_since = message.dormant_since
    AND drafted.step = message.step
    AND message.channel = :channel
    AND message.status NOT IN ('draft', 'queued', 'cancelled');

UPDATE outbox.pool_code AS pool_code
SET
    contact_id = drafted.contact_id,
    message_id = drafted.message_id,
    role = 'coupon',
    taken_at = :at
FROM drafted
WHERE
    drafted.coupon_pool IS NOT NULL
    AND pool_code.code_key = outbox.code_key(drafted.coupon_code)
    AND pool_code.message_id IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM outbox.used_code AS used
        WHERE used.code_keys @> ARRAY[pool_code.code_key]
    );

DELETE FROM drafted
WHERE
    drafted.coupon_pool IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM outbox.pool_code AS pool_code
        WHERE
            pool_code.code_key = outbox.code_key(drafted.coupon_code)
            AND pool_code.message_id = drafted.message_id
            AND pool_code.role = 'coupon'
    )
RETURNING drafted.contact_id, drafted.coupon_pool;
