-- Whose every stop holds whom: of an id that they only share, or of another card with the same
-- verified email.
-- Grain: contact × the other (several times, where several things tie them).
-- Reads: core.restraint, core.card_id, core.contact_identity.
CREATE OR REPLACE VIEW core.stop_tie AS
SELECT
    restraint.contact_id,
    restraint.by_contact_id,
    FALSE AS is_by_email
FROM core.restraint AS restraint
UNION ALL
SELECT
    mine.contact_id,
    theirs.contact_id,
    TRUE
FROM core.contact_identity AS mine
INNER JOIN core.card_id AS said
    ON mine.source = said.source AND mine.source_contact_id = said.source_contact_id
INNER JOIN core.card_id AS same ON said.id = same.id
INNER JOIN core.contact_identity AS theirs
    ON same.source = theirs.source AND same.source_contact_id = theirs.source_contact_id
WHERE
    said.id_source = '@email'
    AND same.id_source = '@email'
    AND (said.is_verified OR same.is_verified)
    AND said.hold <> 'nothing'
    AND same.hold <> 'nothing'
    AND mine.contact_id <> theirs.contact_id;
