-- Every hash that the number of a hash is known by, itself included. No number, no hashes.
-- Reads: core.phone_alias.
CREATE OR REPLACE FUNCTION core.phone_hashes(phone_hash text) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT
        array_prepend(
            $1, ARRAY(SELECT alias.alias_hash FROM core.phone_alias AS alias WHERE alias.phone_hash = $1)
        )
$$;
