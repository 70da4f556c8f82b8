-- The indexes of one table that no constraint makes.
-- Grain: index. Reads: the catalog. Parameters: table_id. Writes nothing.
SELECT
    format('%I.%I', namespace.nspname, class.relname) AS name,
    pg_get_indexdef(index.indexrelid) AS definition,
    obj_description(class.oid, 'pg_class') AS remark
FROM pg_index AS index
INNER JOIN pg_class AS class ON index.indexrelid = class.oid
INNER JOIN pg_namespace AS namespace ON class.relnamespace = namespace.oid
LEFT JOIN pg_constraint AS own
    ON index.indexrelid = own.conindid AND own.contype IN ('p', 'u', 'x')
WHERE index.indrelid = CAST(:table_id AS oid) AND own.oid IS NULL
ORDER BY class.relname COLLATE "C";
