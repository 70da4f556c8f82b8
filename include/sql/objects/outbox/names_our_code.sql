-- Whether a text names a code of ours: one that was given out, or one of a pool.
-- Reads: outbox.coupon, outbox.pool_code.
CREATE OR REPLACE FUNCTION outbox.names_our_code(said text) RETURNS boolean LANGUAGE sql STABLE AS $$
SELECT
    EXISTS(
        SELECT 1
        FROM outbox.coupon AS coupon
        WHERE coupon.code_key = ANY(outbox.code_keys(said))
    )
    OR EXISTS(
        SELECT 1
        FROM outbox.pool_code AS pool_code
        WHERE pool_code.code_key = ANY(outbox.code_keys(said))
    )
$$;
