-- Put aside what a file said when it was read with another mapping, and does not say any more. Only
-- for a file that was read whole: one that could not be read takes nothing back.
-- Grain: source row. Reads: raw.file, staged. Writes: raw.entity. Parameters: load_id, source, path,
-- mapping_hash. Twice: a superseded row is not looked at again.
UPDATE raw.entity AS old
SET status = 'superseded', superseded_by = :load_id, stood_as = old.status
FROM raw.file AS file
WHERE
    file.file_id = old.file_id
    AND file.source = :source
    AND file.path = :path
    AND file.mapping_hash <> :mapping_hash
    AND old.source = :source
    AND old.status <> 'superseded'
    AND NOT EXISTS (
        SELECT 1
        FROM staged
        WHERE staged.record_key = old.record_key AND staged.reason IS NULL
    );
