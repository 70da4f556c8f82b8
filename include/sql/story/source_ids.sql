-- The ids of some contacts in the sources.
-- Grain: contact. Reads: core.source_ids. Writes nothing. Parameters: contact_ids.
SELECT
    wanted.contact_id,
    named.ids
FROM unnest(CAST(:contact_ids AS bigint[])) AS wanted (contact_id)
LEFT JOIN
    LATERAL (
        SELECT source_ids.ids
        FROM core.source_ids AS source_ids
        WHERE source_ids.contact_id = wanted.contact_id
    ) AS named
    ON TRUE;
