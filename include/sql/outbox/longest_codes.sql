-- purpose: how long the codes are that texts must hold, for `make templates`
-- grain: pool; reads: outbox.pool_code; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    pool_code.pool,
    max(char_length(pool_code.code)) AS longest
FROM outbox.pool_code AS pool_code
GROUP BY pool_code.pool;
