-- Say what a file came to: counts from what was staged, and whether it was read whole.
-- Grain: one row, its counts. Reads: staged. Writes: raw.file. Parameters: file_id, rows_read (its
-- rows; lines of one order are one by now), problem, is_complete, allowed_reasons (rows that
-- are rejected for one do not count), today: a row that is dated later (a typo, an order placed ahead)
-- says nothing of how fresh the file is. Returns the counts, and how many rows are dated more than a
-- year later, the last of them when. Twice: the same values.
UPDATE raw.file AS file
SET
    rows_read = :rows_read,
    rows_rejected = found.rows_rejected,
    newest_on = found.newest_on,
    problem = :problem,
    is_complete = :is_complete
FROM (
    SELECT
        count(*) FILTER (
            WHERE NOT staged.reason = ANY(CAST(:allowed_reasons AS text[])) AND staged.reason IS NOT NULL
        ) AS rows_rejected,
        max(staged.dated_on) FILTER (
            WHERE NOT staged.is_excluded AND staged.dated_on <= CAST(:today AS date)
        ) AS newest_on,
        count(*) FILTER (WHERE staged.dated_on > CAST(:today AS date) + 366) AS rows_ahead,
        max(staged.dated_on) AS last_on
    FROM staged
) AS found
WHERE file.file_id = :file_id
RETURNING file.rows_read, file.rows_rejected, found.rows_ahead, found.last_on;
