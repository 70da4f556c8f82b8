-- How far the loads of earlier days have come in a source that is asked for what is new; none where
-- the last of them read by another mapping, so that all of it is read anew. Today's own do not count:
-- a day that runs twice asks twice for the same.
-- Grain: one row, or none. Reads: raw.load, raw.file. Parameters: source, entity, as_of, mapping_hash.
-- Writes nothing.
SELECT
    CASE
        WHEN EXISTS (
            SELECT 1
            FROM raw.file AS file
            WHERE file.load_id = latest.load_id AND file.mapping_hash = :mapping_hash
        ) THEN latest.cursor_after
    END AS cursor_after
FROM (
    SELECT
        load.load_id,
        load.cursor_after
    FROM raw.load AS load
    WHERE
        load.source = :source
        AND load.entity = :entity
        AND load.status = 'loaded'
        AND load.as_of < CAST(:as_of AS date)
    ORDER BY load.load_id DESC
    LIMIT 1
) AS latest;
