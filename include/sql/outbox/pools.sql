-- The stock of the pools: codes that can be given out, codes given to a message, and codes that were
-- used in an order, given out before or not.
-- Grain: pool. Reads: outbox.pool_code, outbox.used_code. No parameters. Writes nothing.
SELECT
    known.pool,
    count(*) FILTER (WHERE known.message_id IS NULL AND NOT known.is_used) AS free,
    count(known.message_id) AS given_out,
    count(*) FILTER (WHERE known.is_used) AS used
FROM (
    SELECT
        pool_code.pool,
        pool_code.message_id,
        used.code_key IS NOT NULL AS is_used
    FROM outbox.pool_code AS pool_code
    LEFT JOIN (
        SELECT DISTINCT unnest(used_code.code_keys) AS code_key
        FROM outbox.used_code AS used_code
    ) AS used
        ON pool_code.code_key = used.code_key
) AS known
GROUP BY known.pool
ORDER BY known.pool;
