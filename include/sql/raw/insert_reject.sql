-- Keep a file's bad rows with their reasons.
-- Grain: source row. Reads: staged. Writes: raw.reject. Parameters: load_id, file_id, source.
-- Twice: the staging table is of one transaction, so its rows arrive once.
INSERT INTO raw.reject (load_id, file_id, source, line, reason, record)
SELECT
    :load_id,
    :file_id,
    :source,
    staged.line,
    staged.reason,
    staged.record
FROM staged
WHERE staged.reason IS NOT NULL;
