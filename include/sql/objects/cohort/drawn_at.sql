-- Where a word falls in a draw, from 0 to below 1: the first 32 bits of its hash, as a share of all.
CREATE OR REPLACE FUNCTION cohort.drawn_at(word text)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CAST(CAST(CAST('x' || substr(md5(word), 1, 8) AS bit(32)) AS bigint) AS double precision)
        / 4294967296
$$;
