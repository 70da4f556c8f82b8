-- The cards among the kin, by number, with the source that each is of.
-- Grain: card. Reads: kin, core.card_id. No parameters. Writes nothing.
SELECT
    kin.node,
    kin.source
FROM kin
INNER JOIN core.card_id AS own
    ON
        kin.source = own.source
        AND kin.source_contact_id = own.source_contact_id
        AND own.source = own.id_source
        AND own.source_contact_id = own.id;
