-- What links the kin, by number: a card to an id that it names; to its phone (which is one, however it
-- is spelt) or its email, where one of those who have it says that it is verified (below 0: those are
-- nobody themselves).
-- Grain: link. Reads: kin, core.card_id, core.digest_alias. No parameters. Writes nothing.
WITH said AS (
    SELECT
        kin.node,
        kin.source,
        named.id_source,
        CASE
            WHEN named.id_source = '@phone'
                THEN
                    least(
                        named.id,
                        (
                            SELECT min(alias.alias_digest)
                            FROM core.digest_alias AS alias
                            WHERE alias.digest = named.id
                        )
                    )
            ELSE named.id
        END AS id,
        named.is_verified
    FROM kin
    INNER JOIN core.card_id AS named
        ON kin.source = named.source AND kin.source_contact_id = named.source_contact_id
    WHERE named.hold = 'whole'
)

SELECT
    'id' AS by,
    said.node,
    held.node AS other,
    TRUE AS is_verified
FROM said
INNER JOIN kin AS held ON said.id_source = held.source AND said.id = held.source_contact_id
WHERE said.node <> held.node
UNION ALL
SELECT
    ltrim(address.id_source, '@'),
    address.node,
    address.other,
    address.is_verified
FROM (
    SELECT
        said.node,
        said.id_source,
        said.is_verified,
        CAST(-dense_rank() OVER (ORDER BY said.id_source, said.id) AS integer) AS other,
        bool_or(said.is_verified) OVER (PARTITION BY said.id_source, said.id) AS is_any_verified
    FROM said
    WHERE said.id_source IN ('@phone', '@email')
) AS address
WHERE address.is_any_verified;
