-- What stands under a name: one view, or functions by their arguments.
-- Grain: view or function. Reads: the catalog. Parameters: name: schema.name. Writes nothing.
SELECT
    'VIEW' AS kind,
    format('%I.%I', namespace.nspname, view.relname) AS signature
FROM pg_class AS view
INNER JOIN pg_namespace AS namespace ON view.relnamespace = namespace.oid
WHERE view.oid = to_regclass(:name) AND view.relkind = 'v'
UNION ALL
SELECT
    'FUNCTION',
    CAST(CAST(function.oid AS regprocedure) AS text)
FROM pg_proc AS function
INNER JOIN pg_namespace AS namespace ON function.pronamespace = namespace.oid
WHERE namespace.nspname || '.' || function.proname = :name;
