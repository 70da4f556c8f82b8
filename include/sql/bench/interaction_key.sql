-- The primary key of core.interaction, as it was written: a benchmark fills the table without it.
-- Grain: one row. Reads: the catalogue. No parameters. Writes nothing.
SELECT
    known.conname AS name,
    pg_get_constraintdef(known.oid) AS definition
FROM pg_constraint AS known
WHERE known.conrelid = CAST('core.interaction' AS regclass) AND known.contype = 'p';
