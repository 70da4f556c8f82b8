-- Whose cards, interactions or restraints are not what they were: contacts that were parted or
-- merged, and those who hold, or have held, an id that is not joined to them.
-- Grain: contact. Reads: placed, claimed, kin, touched_card, core.card_id, core.contact_identity,
-- core.restraint. No parameters. Writes nothing.
SELECT placed.contact_id
FROM placed
WHERE placed.was_id <> placed.contact_id
UNION
SELECT placed.was_id
FROM placed
WHERE placed.was_id <> placed.contact_id
UNION
SELECT claimed.kept_id
FROM claimed
WHERE claimed.contact_id <> claimed.kept_id AND claimed.merged_into IS NULL
UNION
SELECT restraint.contact_id
FROM core.restraint AS restraint
WHERE
    restraint.contact_id IN (
        SELECT identity.contact_id
        FROM kin
        INNER JOIN core.contact_identity AS identity
            ON kin.source = identity.source AND kin.source_contact_id = identity.source_contact_id
    )
UNION
SELECT restraint.contact_id
FROM core.restraint AS restraint
WHERE
    restraint.by_contact_id IN (
        SELECT identity.contact_id
        FROM kin
        INNER JOIN core.contact_identity AS identity
            ON kin.source = identity.source AND kin.source_contact_id = identity.source_contact_id
    )
UNION
-- What has become a placeholder restrains no more.
SELECT identity.contact_id
FROM touched_card
INNER JOIN core.card_id AS named
    ON
        touched_card.source = named.source
        AND touched_card.source_contact_id = named.source_contact_id
INNER JOIN core.contact_identity AS identity
    ON
        touched_card.source = identity.source
        AND touched_card.source_contact_id = identity.source_contact_id
WHERE named.hold <> 'whole' AND named.id_source NOT IN ('@phone', '@email');
