-- Give rows without an id of their own one: the hash of what they say, and the how-manieth row of
-- the file it is that says so. The same file, or an overlapping one, gives the same keys again.
-- Grain: staged row. Writes: staged. No parameters. Twice: the same keys.
UPDATE staged
SET record_key = staged.record_hash || '#' || numbered.occurrence
FROM (
    SELECT
        row.line,
        row_number() OVER (PARTITION BY row.record_hash ORDER BY row.line) AS occurrence
    FROM staged AS row
    WHERE row.reason IS NULL AND row.record_key IS NULL
) AS numbered
WHERE staged.line = numbered.line AND staged.reason IS NULL AND staged.record_key IS NULL;
