-- Say what a load came to. Rejects count where they are still in a current file: those of the
-- load's own files, and those of unfinished loads before it whose file was not read again.
-- Grain: one row. Reads: raw.file, raw.entity. Writes: raw.load. Parameters: load_id, source,
-- entity, paths, at. Twice: the same figures.
WITH unfinished AS (
    SELECT load.load_id
    FROM raw.load AS load
    WHERE
        load.source = :source
        AND load.entity = :entity
        AND load.status <> 'loaded'
        AND load.load_id <= :load_id
),

-- As each file was read last, whoever read it: what a mended file said before counts no more.
latest AS (
    SELECT DISTINCT ON (file.path)
        file.load_id,
        file.rows_read,
        file.rows_rejected
    FROM raw.file AS file
    INNER JOIN raw.load AS of_file ON file.load_id = of_file.load_id
    WHERE
        file.path = ANY(CAST(:paths AS text[]))
        AND of_file.source = :source
        AND of_file.entity = :entity
        AND file.load_id <= :load_id
    ORDER BY file.path ASC, file.file_id DESC
),

files AS (
    SELECT
        latest.rows_read,
        latest.rows_rejected
    FROM latest
    INNER JOIN unfinished ON latest.load_id = unfinished.load_id
),

read AS (
    SELECT
        coalesce(sum(files.rows_read), 0) AS rows_read,
        coalesce(sum(files.rows_rejected), 0) AS rows_rejected
    FROM files
),

own AS (
    SELECT
        count(*) AS rows_new,
        count(*) FILTER (WHERE row.status = 'loaded') AS rows_loaded,
        coalesce(
            sum((SELECT count(*) FROM jsonb_object_keys(row.problems))), 0
        ) AS fields_emptied
    FROM raw.entity AS row
    WHERE row.load_id = :load_id
),

waiting AS (
    SELECT count(*) AS rows_waiting
    FROM raw.entity AS row
    WHERE row.source = :source AND row.status = 'waiting'
),

newest AS (
    SELECT max(latest.newest_on) AS newest_on
    FROM (
        SELECT DISTINCT ON (file.path) file.newest_on
        FROM raw.file AS file
        INNER JOIN raw.load AS of_file ON file.load_id = of_file.load_id
        WHERE
            file.source = :source
            AND file.path = ANY(CAST(:paths AS text[]))
            AND of_file.entity = :entity
        ORDER BY file.path ASC, file.file_id DESC
    ) AS latest
)

UPDATE raw.load AS load
SET
    rows_read = read.rows_read,
    rows_rejected = read.rows_rejected,
    rows_new = own.rows_new,
    rows_loaded = own.rows_loaded,
    rows_waiting = waiting.rows_waiting,
    fields_emptied = own.fields_emptied,
    newest_on = newest.newest_on,
    finished_at = :at
FROM read
CROSS JOIN own
CROSS JOIN waiting
CROSS JOIN newest
WHERE load.load_id = :load_id
RETURNING
    load.rows_read,
    load.rows_new,
    load.rows_loaded,
    load.rows_waiting,
    load.rows_rejected,
    load.fields_emptied,
    load.newest_on;
