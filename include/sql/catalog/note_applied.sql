-- Note that the warehouse has exactly these files of include/sql/objects.
-- Grain: file. Reads: core.object. Writes: core.object. Parameters: names; applied: the digest of all
-- files. Twice: the same rows.
DELETE FROM core.object
WHERE NOT object.name = ANY(CAST(:names AS text[]));

INSERT INTO core.object (name, applied)
SELECT
    file.name,
    :applied
FROM unnest(CAST(:names AS text[])) AS file (name)
ON CONFLICT (name) DO UPDATE
    SET applied = excluded.applied, kept = '{}';
