-- What shows that a contact is alive: what they did, and what happened under an id that they only
-- share, which counts for nothing else.
-- Grain: contact × interaction.
-- Reads: core.interaction, core.restraint.
CREATE OR REPLACE VIEW core.sign_of_life AS
SELECT
    interaction.contact_id,
    interaction.kind,
    interaction.occurred_at,
    interaction.occurred_on,
    TRUE AS is_own,
    interaction.contact_id AS by_contact_id,
    interaction.source
FROM core.interaction AS interaction
UNION ALL
SELECT
    restraint.contact_id,
    interaction.kind,
    interaction.occurred_at,
    interaction.occurred_on,
    FALSE,
    interaction.contact_id,
    interaction.source
FROM core.restraint AS restraint
INNER JOIN core.interaction AS interaction ON restraint.by_contact_id = interaction.contact_id
WHERE restraint.hold = 'whole';
