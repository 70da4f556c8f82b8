-- How many of some ids are somebody's whom a card describes.
-- Grain: one row. Reads: core.known_id. Parameters: sources, ids (one of each, side by side). Writes
-- nothing.
SELECT count(*) AS known
FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS named (source, id)
WHERE
    EXISTS (
        SELECT 1 FROM core.known_id AS known
        WHERE known.source = named.source AND known.source_contact_id = named.id
    );
