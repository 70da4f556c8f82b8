-- Add the staged codes to a pool. One that another pool has, that was given to somebody, or that
-- stands higher up in the file is refused.
-- Grain: refused line, and one row each (line NULL) for what is new and what the pool has already;
-- codes: how many. Reads: the temporary table uploaded_code, outbox.coupon.
-- Writes: outbox.pool_code. Parameters: pool, at. Twice: everything is known.
WITH judged AS (
    SELECT
        keyed.line,
        keyed.code,
        keyed.code_key,
        keyed.first_line,
        other.pool AS other_pool,
        CASE
            WHEN other.pool = :pool THEN 'known'
            WHEN other.pool IS NOT NULL THEN 'other_pool'
            WHEN
                EXISTS (
                    SELECT 1
                    FROM outbox.coupon AS coupon
                    WHERE coupon.code_key = keyed.code_key
                )
                THEN 'issued'
            WHEN keyed.line > keyed.first_line THEN 'repeated'
            ELSE 'new'
        END AS verdict
    FROM (
        SELECT
            uploaded_code.line,
            uploaded_code.code,
            outbox.code_key(uploaded_code.code) AS code_key,
            min(uploaded_code.line) OVER (
                PARTITION BY outbox.code_key(uploaded_code.code)
            ) AS first_line
        FROM uploaded_code
    ) AS keyed
    LEFT JOIN outbox.pool_code AS other ON keyed.code_key = other.code_key
),

added AS (
    INSERT INTO outbox.pool_code (code_key, pool, code, added_at)
    SELECT
        judged.code_key,
        :pool,
        judged.code,
        :at
    FROM judged
    WHERE judged.verdict = 'new'
    ORDER BY judged.line
)

SELECT
    told.verdict,
    told.line,
    min(told.first_line) AS first_line,
    min(told.other_pool) AS other_pool,
    count(*) AS codes
FROM (
    SELECT
        judged.verdict,
        judged.first_line,
        judged.other_pool,
        CASE WHEN judged.verdict NOT IN ('new', 'known') THEN judged.line END AS line
    FROM judged
) AS told
GROUP BY told.verdict, told.line
ORDER BY told.line;
