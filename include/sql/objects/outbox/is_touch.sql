-- Whether a hit is what a page asks for when a hand is on it.
CREATE OR REPLACE FUNCTION outbox.is_touch(kind outbox.hit_kind, method text, purpose text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT kind = 'beacon' AND method = 'GET' AND purpose = ''
$$;
