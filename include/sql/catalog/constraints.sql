-- The constraints of one table, the key first; NOT NULL stands with the columns.
-- Grain: constraint. Reads: the catalog. Parameters: table_id. Writes nothing.
SELECT
    format(
        'CONSTRAINT %I %s', own.conname, pg_get_constraintdef(own.oid)
    ) AS definition,
    obj_description(own.oid, 'pg_constraint') AS remark
FROM pg_constraint AS own
WHERE own.conrelid = CAST(:table_id AS oid) AND own.contype IN ('p', 'u', 'c', 'f', 'x')
ORDER BY own.contype <> 'p', own.contype, own.conname COLLATE "C";
