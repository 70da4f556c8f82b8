-- The codes of a pool that messages were given before: each has its own for ever.
-- Grain: message. Reads: outbox.pool_code. Parameters: pool, message_ids. Writes nothing.
SELECT
    pool_code.message_id,
    pool_code.code
FROM outbox.pool_code AS pool_code
WHERE
    pool_code.pool = :pool
    AND pool_code.role = 'coupon'
    AND pool_code.message_id = ANY(CAST(:message_ids AS uuid[]));
