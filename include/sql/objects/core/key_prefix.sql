-- Which key a hash is of: what it begins with.
CREATE OR REPLACE FUNCTION core.key_prefix(phone_hash text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 ~ '^[0-9]+:' THEN split_part($1, ':', 1) || ':' ELSE '' END
$$;
