-- The next codes of a pool that nobody was given, and that no order has used: codes leak, and pools
-- are used elsewhere. They are not locked: take_codes sees who was faster.
-- Grain: code. Reads: outbox.pool_code, outbox.used_code. Parameters: pool, codes (how many). Writes nothing.
SELECT pool_code.code
FROM outbox.pool_code AS pool_code
WHERE
    pool_code.pool = :pool
    AND pool_code.message_id IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM outbox.used_code AS used
        WHERE used.code_keys @> ARRAY[pool_code.code_key]
    )
ORDER BY pool_code.place
LIMIT :codes;
