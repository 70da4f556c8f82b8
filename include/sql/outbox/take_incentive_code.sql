-- Give a message the last free code of a pool that no order has used, for ever. The day's texts take
-- the first ones, so the two meet only where a pool runs out.
-- Grain: at most one code. Reads: outbox.used_code. Writes: outbox.pool_code. Parameters: pool,
-- contact_id, message_id, at.
-- No row: another was faster (ask again while free_codes has one), or there is none.
UPDATE outbox.pool_code AS pool_code
SET contact_id = :contact_id, message_id = :message_id, role = 'incentive', taken_at = :at
WHERE
    pool_code.code_key = (
        SELECT free.code_key
        FROM outbox.pool_code AS free
        WHERE
            free.pool = :pool
            AND free.message_id IS NULL
            AND NOT EXISTS (
                SELECT 1
                FROM outbox.used_code AS used
                WHERE used.code_keys @> ARRAY[free.code_key]
            )
        ORDER BY free.place DESC
        LIMIT 1
    )
    AND pool_code.message_id IS NULL
RETURNING pool_code.code;
