-- The ids that lead to somebody whom a card describes. Of those that several cards hold, too: such an
-- id is joined to none of them, and known all the same.
-- Grain: source, id; one may come several times. Reads: core.contact_identity, core.card_id, raw.contact.
CREATE OR REPLACE VIEW core.known_id AS
SELECT
    identity.source,
    identity.source_contact_id
FROM core.contact_identity AS identity
INNER JOIN core.contact_identity AS theirs ON identity.contact_id = theirs.contact_id
INNER JOIN raw.contact AS card
    ON theirs.source = card.source AND theirs.source_contact_id = card.record_key
WHERE card.status IN ('loaded', 'excluded')
UNION ALL
SELECT
    held.id_source AS source,
    held.id AS source_contact_id
FROM core.card_id AS held
WHERE held.hold = 'whole';
