-- The next codes of a pool that nobody was given. They are not locked: take_codes sees who was
-- faster.
-- Grain: code. Reads: outbox.pool_code. Parameters: pool, codes (how many). Writes nothing.
SELECT pool_code.code
FROM outbox.pool_code AS pool_code
WHERE pool_code.pool = :pool AND pool_code.message_id IS NULL
ORDER BY pool_code.place
LIMIT :codes;
