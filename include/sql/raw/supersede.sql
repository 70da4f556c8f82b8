-- Put aside the rows that a file says anew: another version of a known key, and, where the same
-- file was read with another mapping, what it said under that.
-- Grain: source row. Reads: staged, raw.file. Writes: raw.entity. Parameters: load_id, source,
-- path, mapping_hash. Twice: a superseded row is not looked at again.
UPDATE raw.entity AS old
SET status = 'superseded', superseded_by = :load_id
FROM staged
WHERE
    old.source = :source
    AND old.record_key = staged.record_key
    AND old.status <> 'superseded'
    AND old.record_hash <> staged.record_hash
    AND staged.reason IS NULL
    -- The last row of a key in the file is the one that counts.
    AND NOT EXISTS (
        SELECT 1
        FROM staged AS later
        WHERE
            later.record_key = staged.record_key
            AND later.line > staged.line
            AND later.reason IS NULL
    );

UPDATE raw.entity AS old
SET status = 'superseded', superseded_by = :load_id
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
