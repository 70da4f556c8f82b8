-- The key of the order that a key of raw.refund_key is of; NULL, if it is none.
CREATE OR REPLACE FUNCTION raw.refunded_key(record_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN right(record_key, 7) = E'\x1frefund' THEN left(record_key, -7) END
$$;
