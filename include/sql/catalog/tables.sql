-- The tables of the warehouse, as include/sql/schema.sql shows them, partitions left out: what a
-- day makes for itself is no schema.
-- Grain: table. Reads: the catalog. Parameters: schemas. Writes nothing.
--   uses   the functions of ours that its columns, checks and indexes call
SELECT
    CAST(class.oid AS bigint) AS table_id,
    format('%I.%I', namespace.nspname, class.relname) AS name,
    concat_ws(
        ' ',
        'PARTITION BY ' || pg_get_partkeydef(class.oid),
        'WITH (' || array_to_string(class.reloptions, ', ') || ')'
    ) AS options,
    obj_description(class.oid, 'pg_class') AS remark,
    ARRAY(
        SELECT DISTINCT called_in.nspname || '.' || called.proname
        FROM pg_depend AS depends
        INNER JOIN pg_proc AS called ON depends.refobjid = called.oid
        INNER JOIN pg_namespace AS called_in ON called.pronamespace = called_in.oid
        WHERE
            depends.refclassid = CAST('pg_proc' AS regclass)
            AND called_in.nspname = ANY(CAST(:schemas AS text[]))
            AND (
                (
                    depends.classid = CAST('pg_class' AS regclass)
                    AND depends.objid IN (
                        SELECT index.indexrelid
                        FROM pg_index AS index
                        WHERE index.indrelid = class.oid
                    )
                )
                OR (
                    depends.classid = CAST('pg_attrdef' AS regclass)
                    AND depends.objid IN (
                        SELECT value.oid
                        FROM pg_attrdef AS value
                        WHERE value.adrelid = class.oid
                    )
                )
                OR (
                    depends.classid = CAST('pg_constraint' AS regclass)
                    AND depends.objid IN (
                        SELECT own.oid
                        FROM pg_constraint AS own
                        WHERE own.conrelid = class.oid
                    )
                )
            )
        ORDER BY called_in.nspname || '.' || called.proname
    ) AS uses
FROM pg_class AS class
INNER JOIN pg_namespace AS namespace ON class.relnamespace = namespace.oid
WHERE
    class.relkind IN ('r', 'p')
    AND NOT class.relispartition
    AND namespace.nspname = ANY(CAST(:schemas AS text[]))
ORDER BY
    array_position(CAST(:schemas AS text[]), CAST(namespace.nspname AS text)),
    class.relname COLLATE "C";
