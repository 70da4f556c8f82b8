-- One of the hashes that a number is known by: the same, however it is written.
-- Reads: core.phone_alias.
CREATE OR REPLACE FUNCTION core.one_number(phone_hash text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT
        least(
            $1,
            (SELECT min(alias.alias_hash) FROM core.phone_alias AS alias WHERE alias.phone_hash = $1)
        )
$$;
