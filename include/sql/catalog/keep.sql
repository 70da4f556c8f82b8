-- Before a view or function is dropped, to be made anew: keep what gives back its owner and grants.
-- Grain: a view or function. Reads: the catalog. Writes: core.object. Parameters: name: schema.name.
-- Twice: what is dropped by now keeps what was kept of it.
WITH standing AS (
    SELECT
        'VIEW' AS kind,
        format('%I.%I', namespace.nspname, view.relname) AS name,
        view.relowner AS owner,
        view.relacl AS acl,
        view.oid
    FROM pg_class AS view
    INNER JOIN pg_namespace AS namespace ON view.relnamespace = namespace.oid
    WHERE view.oid = to_regclass(:name) AND view.relkind = 'v'
    UNION ALL
    SELECT
        'FUNCTION',
        format('%I.%I', namespace.nspname, function.proname),
        function.proowner,
        function.proacl,
        NULL
    FROM pg_proc AS function
    INNER JOIN pg_namespace AS namespace ON function.pronamespace = namespace.oid
    WHERE namespace.nspname || '.' || function.proname = :name
),

held AS (
    SELECT
        standing.kind,
        standing.name,
        standing.owner,
        CAST(NULL AS name) AS column_name,
        standing.acl
    FROM standing
    UNION ALL
    SELECT
        standing.kind,
        standing.name,
        standing.owner,
        attribute.attname,
        attribute.attacl
    FROM standing
    INNER JOIN pg_attribute AS attribute ON standing.oid = attribute.attrelid
    WHERE attribute.attacl IS NOT NULL
),

statement AS (
    SELECT
        1 AS place,
        format('ALTER %s %s OWNER TO %I', kind, name, pg_get_userbyid(owner)) AS text
    FROM standing
    WHERE pg_get_userbyid(owner) <> current_user
    UNION ALL
    -- Whose rights were never touched, everybody may call.
    SELECT
        2,
        format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name)
    FROM standing
    WHERE kind = 'FUNCTION' AND acl IS NOT NULL
    UNION ALL
    SELECT
        3,
        format(
            'GRANT %s%s ON %s%s TO %s%s',
            granted.privilege_type,
            ' (' || quote_ident(held.column_name) || ')',
            CASE held.kind WHEN 'FUNCTION' THEN 'FUNCTION ' ELSE '' END,
            held.name,
            CASE
                WHEN granted.grantee = 0 THEN 'PUBLIC'
                ELSE quote_ident(pg_get_userbyid(granted.grantee))
            END,
            CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
        )
    FROM held
    CROSS JOIN LATERAL aclexplode(held.acl) AS granted
    WHERE granted.grantee <> held.owner
)

INSERT INTO core.object (name, applied, kept)
SELECT
    :name,
    '',
    coalesce(
        (SELECT array_agg(statement.text ORDER BY statement.place, statement.text) FROM statement),
        '{}'
    )
WHERE EXISTS (SELECT 1 FROM standing)
ON CONFLICT (name) DO UPDATE
    SET applied = excluded.applied, kept = excluded.kept;
