-- Which key a hash is of: what it begins with. Of strict functions alone, so that the planner puts it
-- into the statement: a call for every number of a load cost more than reading them.
CREATE OR REPLACE FUNCTION core.key_prefix(phone_hash text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT left($1, strpos($1, ':'))
$$;
