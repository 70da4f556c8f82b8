-- Whether the last reading of a file was of this very file, by size, time and mapping, and whole.
-- Grain: one row, or none. Reads: raw.file, raw.load. Parameters: source, entity, path, size_bytes,
-- modified_at, mapping_hash.
SELECT
    file.size_bytes = :size_bytes
    AND file.modified_at = :modified_at
    AND file.mapping_hash = :mapping_hash
    AND file.is_complete AS is_read
FROM raw.file AS file
INNER JOIN raw.load AS load ON file.load_id = load.load_id
WHERE file.source = :source AND file.path = :path AND load.entity = :entity
ORDER BY file.file_id DESC
LIMIT 1;
