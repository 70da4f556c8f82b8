-- The views and functions that are made of a view or function: they go before it goes.
-- Grain: view or function (schema.name). Reads: the catalog. Parameters: name. Writes nothing.
-- A function whose body is a text is none: it looks up what it uses when it runs.
WITH used AS (
    SELECT
        CAST('pg_class' AS regclass) AS classid,
        to_regclass(:name) AS objid
    UNION ALL
    SELECT
        CAST('pg_proc' AS regclass),
        function.oid
    FROM pg_proc AS function
    INNER JOIN pg_namespace AS namespace ON function.pronamespace = namespace.oid
    WHERE namespace.nspname || '.' || function.proname = :name
)

SELECT DISTINCT namespace.nspname || '.' || coalesce(view.relname, function.proname) AS name
FROM used
INNER JOIN pg_depend AS depends ON used.classid = depends.refclassid AND used.objid = depends.refobjid
LEFT JOIN pg_rewrite AS rule
    ON depends.classid = CAST('pg_rewrite' AS regclass) AND depends.objid = rule.oid
LEFT JOIN pg_class AS view ON rule.ev_class = view.oid
LEFT JOIN pg_proc AS function
    ON depends.classid = CAST('pg_proc' AS regclass) AND depends.objid = function.oid
INNER JOIN pg_namespace AS namespace
    ON coalesce(view.relnamespace, function.pronamespace) = namespace.oid
WHERE
    namespace.nspname || '.' || coalesce(view.relname, function.proname) <> :name
ORDER BY name;
