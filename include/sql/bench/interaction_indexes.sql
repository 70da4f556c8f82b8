-- The indexes of core.interaction beside its key, as the catalogue writes them.
-- Grain: index. Reads: the catalogue. No parameters. Writes nothing.
SELECT
    known.indexname AS name,
    -- For the partitions, too.
    replace(known.indexdef, ' ON ONLY ', ' ON ') AS definition
FROM pg_indexes AS known
WHERE
    known.schemaname = 'core'
    AND known.tablename = 'interaction'
    AND known.indexname <> 'interaction_pkey';
