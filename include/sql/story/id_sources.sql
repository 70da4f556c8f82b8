-- The sources that ids of contacts are from, by name: one look into the key for each.
-- Grain: source. Reads: core.contact_identity (by its key). Writes nothing. No parameters.
WITH RECURSIVE known AS (
    SELECT min(identity.source) AS source
    FROM core.contact_identity AS identity
    UNION ALL
    SELECT (
        SELECT min(identity.source)
        FROM core.contact_identity AS identity
        WHERE identity.source > known.source
    )
    FROM known
    WHERE known.source IS NOT NULL
)

SELECT known.source
FROM known
WHERE known.source IS NOT NULL
ORDER BY known.source;
