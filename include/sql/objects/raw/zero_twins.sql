-- The ids that an id of digits is written as where a spreadsheet, or a column of numbers, has taken the
-- zeros before it, or put some there: 71 for 00071. NULL for one that is not of digits alone.
CREATE OR REPLACE FUNCTION raw.zero_twins(id text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN id ~ '^[0-9]+$'
            THEN ARRAY(
                SELECT lpad(ltrim(id, '0'), width, '0')
                FROM generate_series(greatest(1, length(ltrim(id, '0'))), length(id) + 8) AS width
                WHERE width <> length(id)
            )
    END
$$;
