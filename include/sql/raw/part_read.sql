-- The last whole reading of an interval of a source, by this mapping, that began when nothing of the
-- interval could come late any more.
-- Grain: one row, or none. Reads: raw.file, raw.load. Parameters: source, entity, path, mapping_hash,
-- reads_from, reads_to, settled_at. Writes nothing.
SELECT file.file_id
FROM raw.file AS file
INNER JOIN raw.load AS load ON file.load_id = load.load_id
WHERE
    file.source = :source
    AND file.path = :path
    AND load.entity = :entity
    AND file.mapping_hash = :mapping_hash
    AND file.reads_from = :reads_from
    AND file.reads_to = :reads_to
    AND file.modified_at >= :settled_at
    AND file.is_complete
ORDER BY file.file_id DESC
LIMIT 1;
