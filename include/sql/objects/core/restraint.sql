-- Who is held by what happens to another contact: a card names an id that is not joined to it.
-- Grain: holder × contact of the id (twice, where two cards of the holder name it).
-- Reads: core.contact_identity, core.card_id.
CREATE OR REPLACE VIEW core.restraint AS
SELECT
    holder.contact_id,
    held.contact_id AS by_contact_id,
    named.hold
FROM core.contact_identity AS holder
INNER JOIN core.card_id AS named
    ON
        holder.source = named.source
        AND holder.source_contact_id = named.source_contact_id
INNER JOIN core.contact_identity AS held
    ON
        named.id_source = held.source
        AND named.id = held.source_contact_id
WHERE holder.contact_id <> held.contact_id AND named.hold <> 'nothing';
