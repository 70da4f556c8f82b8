-- Tell rows without an id of their own apart that say the same: the second is #2, the third #3. The
-- same file, or an overlapping one, gives the same keys again.
-- Grain: staged row. Writes: staged. No parameters. Twice: the same keys.
UPDATE staged
SET record_key = left(staged.record_key, 33) || numbered.occurrence
FROM (
    SELECT
        row.line,
        row_number() OVER (PARTITION BY left(row.record_key, 33) ORDER BY row.line) AS occurrence
    FROM staged AS row
    WHERE row.reason IS NULL
) AS numbered
WHERE numbered.occurrence > 1 AND staged.line = numbered.line AND staged.reason IS NULL;
