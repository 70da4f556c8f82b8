-- Say what a file came to: counts from what was staged, and whether it was read whole.
-- Grain: one row, its counts. Reads: staged. Writes: raw.file. Parameters: file_id, problem,
-- is_complete. Twice: the same values.
UPDATE raw.file AS file
SET
    rows_read = found.rows_read,
    rows_rejected = found.rows_rejected,
    newest_on = found.newest_on,
    problem = :problem,
    is_complete = :is_complete
FROM (
    SELECT
        count(*) AS rows_read,
        count(*) FILTER (WHERE staged.reason IS NOT NULL) AS rows_rejected,
        max(staged.dated_on) AS newest_on
    FROM staged
) AS found
WHERE file.file_id = :file_id
RETURNING file.rows_read, file.rows_rejected;
