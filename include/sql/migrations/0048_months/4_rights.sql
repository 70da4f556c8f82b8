-- What gives the new table the owner and the rights of the old one. Grain: statement, in their order.
WITH held AS (
    SELECT
        class.relowner AS owner,
        NULL AS column_name,
        class.relacl AS acl
    FROM pg_class AS class
    WHERE class.oid = CAST('core.interaction_of_all_months' AS regclass)
    UNION ALL
    SELECT
        class.relowner,
        attribute.attname,
        attribute.attacl
    FROM pg_class AS class
    INNER JOIN pg_attribute AS attribute ON class.oid = attribute.attrelid
    WHERE
        class.oid = CAST('core.interaction_of_all_months' AS regclass)
        AND attribute.attacl IS NOT NULL
)

SELECT
    format(
        'GRANT %s%s ON core.interaction TO %s%s',
        granted.privilege_type,
        ' (' || quote_ident(held.column_name) || ')',
        CASE
            WHEN granted.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(granted.grantee))
        END,
        CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    ) AS statement
FROM held
CROSS JOIN LATERAL aclexplode(held.acl) AS granted
WHERE granted.grantee <> held.owner
UNION ALL
SELECT format('ALTER TABLE core.interaction OWNER TO %I', pg_get_userbyid(held.owner))
FROM held
WHERE held.column_name IS NULL AND pg_get_userbyid(held.owner) <> current_user
ORDER BY statement DESC;
