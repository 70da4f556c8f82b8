-- Whether core has taken no load yet that read a whole file by this mapping.
-- Grain: one row. Reads: raw.file, raw.load. Parameters: source, entity, mapping_hash. Writes nothing.
SELECT
    NOT EXISTS (
        SELECT 1
        FROM raw.file AS file
        INNER JOIN raw.load AS load ON file.load_id = load.load_id
        WHERE
            file.source = :source
            AND file.mapping_hash = :mapping_hash
            AND file.is_complete
            AND load.entity = :entity
            AND load.status = 'loaded'
    ) AS is_new;
