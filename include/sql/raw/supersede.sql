-- Put aside the rows that a file says anew: another version of a known key.
-- Grain: source row. Reads: raw.file. Writes: staged, raw.entity. Parameters: load_id, source,
-- path. Twice: a superseded row is not looked at again.

-- A file that is read again (copied, touched, under another mapping) does not bring back what a later
-- file has replaced. What a row says is its hash without the mapping's, which comes first.
DELETE FROM staged
USING raw.entity AS past, raw.file AS past_file, raw.entity AS current, raw.file AS current_file
WHERE
    past.source = :source
    AND past.record_key = staged.record_key
    AND rtrim(substr(past.record_hash, 9), '~') = rtrim(substr(staged.record_hash, 9), '~')
    AND past.status = 'superseded'
    AND past_file.file_id = past.file_id
    AND past_file.path = :path
    AND current.source = :source
    AND current.record_key = staged.record_key
    AND rtrim(substr(current.record_hash, 9), '~') <> rtrim(substr(staged.record_hash, 9), '~')
    AND current.status <> 'superseded'
    AND current_file.file_id = current.file_id
    AND current_file.path <> :path;

UPDATE raw.entity AS old
SET status = 'superseded', superseded_by = :load_id, stood_as = old.status
FROM (
    -- The last row of a key in the file is the one that counts.
    SELECT DISTINCT ON (staged.record_key)
        staged.record_key,
        staged.record_hash
    FROM staged
    WHERE staged.reason IS NULL
    ORDER BY staged.record_key ASC, staged.line DESC
) AS said
WHERE
    old.source = :source
    AND old.record_key = said.record_key
    AND old.status <> 'superseded'
    AND old.record_hash <> said.record_hash;
