-- What a key of a consent is about, whenever it was given or taken back: source, id, channel and
-- purpose.
CREATE OR REPLACE FUNCTION raw.agreement(record_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(record_key, '/[^/]*(/withdrawn)?$', '')
$$;
