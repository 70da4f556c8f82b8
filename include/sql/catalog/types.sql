-- The enums of the warehouse, as include/sql/schema.sql shows them.
-- Grain: value, in their order. Reads: the catalog. Parameters: schemas. Writes nothing.
SELECT
    format('%I.%I', namespace.nspname, type.typname) AS name,
    value.enumlabel AS value,
    obj_description(type.oid, 'pg_type') AS remark
FROM pg_enum AS value
INNER JOIN pg_type AS type ON value.enumtypid = type.oid
INNER JOIN pg_namespace AS namespace ON type.typnamespace = namespace.oid
WHERE namespace.nspname = ANY(CAST(:schemas AS text[]))
ORDER BY
    array_position(CAST(:schemas AS text[]), CAST(namespace.nspname AS text)),
    type.typname COLLATE "C", value.enumsortorder;
