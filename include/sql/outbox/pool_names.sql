-- Whether a pool has codes, free or not; and if it has none, which pools there are (NULL: none).
-- Grain: one row. Reads: outbox.pool_code. Parameters: pool. Writes nothing.
SELECT
    known.is_known,
    (
        SELECT array_agg(DISTINCT pool_code.pool ORDER BY pool_code.pool)
        FROM outbox.pool_code AS pool_code
        WHERE NOT known.is_known
    ) AS pools
FROM (
    SELECT EXISTS(SELECT 1 FROM outbox.pool_code AS own WHERE own.pool = :pool) AS is_known
) AS known;
