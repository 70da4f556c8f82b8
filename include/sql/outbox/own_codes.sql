-- The codes of a pool that messages were given before: each has its own for ever. One that an order
-- has used since is worth nothing to who was never sent it, and the message is given another.
-- Grain: message. Reads: outbox.pool_code, outbox.used_code. Parameters: pool, message_ids.
-- Writes nothing.
SELECT
    pool_code.message_id,
    pool_code.code
FROM outbox.pool_code AS pool_code
WHERE
    pool_code.pool = :pool
    AND pool_code.role = 'coupon'
    AND pool_code.message_id = ANY(CAST(:message_ids AS uuid[]))
    AND NOT EXISTS (
        SELECT 1
        FROM outbox.used_code AS used
        WHERE used.code_keys @> ARRAY[pool_code.code_key]
    );
