-- Gather one round more: the ids that cards name, the cards that name ids, the cards with the same
-- verified phone (in whatever spelling) or email, and all that is one contact with them now. Returns
-- how many are new.
-- Grain: card or id. Reads: core.card_id, core.digest_alias, core.contact_identity. Writes: kin. Parameters: round: the
-- last one. Twice: who is gathered is not gathered again.
WITH address AS (
    SELECT
        said.id_source,
        said.id,
        bool_or(said.is_verified) AS is_verified
    FROM kin
    INNER JOIN core.card_id AS said
        ON kin.source = said.source AND kin.source_contact_id = said.source_contact_id
    WHERE kin.round = :round AND said.id_source IN ('@phone', '@email') AND said.hold = 'whole'
    GROUP BY said.id_source, said.id
),

spelt AS (
    SELECT
        address.id_source,
        address.id,
        address.is_verified
    FROM address
    UNION
    SELECT
        address.id_source,
        alias.alias_digest,
        address.is_verified
    FROM address
    INNER JOIN core.digest_alias AS alias ON address.id = alias.digest
    WHERE address.id_source = '@phone'
),

contact AS (
    SELECT DISTINCT identity.contact_id
    FROM kin
    INNER JOIN core.contact_identity AS identity
        ON kin.source = identity.source AND kin.source_contact_id = identity.source_contact_id
    WHERE kin.round = :round
),

found AS (
    SELECT
        named.id_source AS source,
        named.id AS source_contact_id
    FROM kin
    INNER JOIN core.card_id AS named
        ON kin.source = named.source AND kin.source_contact_id = named.source_contact_id
    WHERE
        kin.round = :round
        AND named.hold = 'whole'
        AND named.id_source NOT IN ('@phone', '@email')
    UNION
    SELECT
        holder.source,
        holder.source_contact_id
    FROM kin
    INNER JOIN core.card_id AS holder
        ON kin.source = holder.id_source AND kin.source_contact_id = holder.id
    WHERE kin.round = :round AND holder.hold = 'whole'
    UNION
    SELECT
        same.source,
        same.source_contact_id
    FROM spelt
    INNER JOIN core.card_id AS same ON spelt.id_source = same.id_source AND spelt.id = same.id
    WHERE same.hold = 'whole' AND (spelt.is_verified OR same.is_verified)
    UNION
    SELECT
        identity.source,
        identity.source_contact_id
    FROM contact
    INNER JOIN core.contact_identity AS identity ON contact.contact_id = identity.contact_id
),

added AS (
    INSERT INTO kin (source, source_contact_id, round)
    SELECT
        found.source,
        found.source_contact_id,
        CAST(:round AS integer) + 1
    FROM found
    ON CONFLICT (source, source_contact_id) DO NOTHING
    RETURNING kin.round
)

SELECT count(*) AS found FROM added;
