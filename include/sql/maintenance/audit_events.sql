-- Contacts under whom an event of a source stands more than once. The key of core.interaction allows
-- it, on two days; a load never writes it.
-- Grain: contact. Reads: core.interaction. Parameters: after_contact_id, through_contact_id, share,
-- seed. Writes nothing.
SELECT DISTINCT
    event.contact_id,
    ARRAY['source_event_id'] AS column_names
FROM (
    SELECT
        interaction.contact_id,
        interaction.source,
        interaction.source_event_id
    FROM core.interaction AS interaction
    WHERE
        interaction.contact_id > :after_contact_id
        AND interaction.contact_id <= :through_contact_id
        AND (hashint8extended(interaction.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
    GROUP BY interaction.contact_id, interaction.source, interaction.source_event_id
    HAVING count(*) > 1
) AS event
ORDER BY event.contact_id;
