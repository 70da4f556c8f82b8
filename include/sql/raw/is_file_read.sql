-- Whether this very file, by path, size, time and mapping, was read whole.
-- Grain: one row. Reads: raw.file. Parameters: source, path, size_bytes, modified_at, mapping_hash.
SELECT EXISTS(
    SELECT 1
    FROM raw.file AS file
    WHERE
        file.source = :source
        AND file.path = :path
        AND file.size_bytes = :size_bytes
        AND file.modified_at = :modified_at
        AND file.mapping_hash = :mapping_hash
        AND file.is_complete
) AS is_read;
