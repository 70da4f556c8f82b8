-- The key under which what is given back under an order's own id waits for its day.
CREATE OR REPLACE FUNCTION raw.refund_key(record_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT record_key || E'\x1frefund'
$$;
