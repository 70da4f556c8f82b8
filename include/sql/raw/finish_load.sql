-- Say what a load came to. Rejects count where they are still in a current file: those of the
-- load's own files, and those of unfinished loads before it whose file was not read again.
-- Grain: one row. Reads: raw.file, raw.entity. Writes: raw.load. Parameters: load_id, source,
-- entity, file_ids (as the source was read last), is_increment (it read only what is new since the loads
-- before it, so that what is newest may be theirs), at. Twice: the same figures.
WITH unfinished AS (
    SELECT load.load_id
    FROM raw.load AS load
    WHERE
        load.source = :source
        AND load.entity = :entity
        AND load.status <> 'loaded'
        AND load.load_id <= :load_id
),

files AS (
    SELECT
        file.rows_read,
        file.rows_rejected
    FROM raw.file AS file
    INNER JOIN unfinished ON file.load_id = unfinished.load_id
    WHERE file.file_id = ANY(CAST(:file_ids AS bigint[]))
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

-- What stood when this load began, and says something else now, or nothing.
replaced AS (
    SELECT
        count(DISTINCT old.record_key) FILTER (WHERE present.status <> 'excluded') AS rows_changed,
        count(DISTINCT old.record_key) FILTER (
            WHERE coalesce(present.status = 'excluded', TRUE)
        ) AS rows_taken_back,
        count(DISTINCT old.record_key) FILTER (WHERE old.is_deleted AND present.status IS NULL)
            AS rows_deleted
    FROM raw.entity AS old
    LEFT JOIN raw.entity AS present
        ON
            old.source = present.source
            AND old.record_key = present.record_key
            AND present.status <> 'superseded'
    WHERE
        old.superseded_by = :load_id
        AND old.load_id <> :load_id
        AND old.stood_as IN ('loaded', 'waiting')
),

waiting AS (
    SELECT count(*) AS rows_waiting
    FROM raw.entity AS row
    WHERE row.source = :source AND row.status = 'waiting'
),

newest AS (
    SELECT max(said.newest_on) AS newest_on
    FROM (
        SELECT file.newest_on
        FROM raw.file AS file
        WHERE file.file_id = ANY(CAST(:file_ids AS bigint[]))
        UNION ALL
        SELECT before.newest_on
        FROM raw.load AS before
        WHERE
            CAST(:is_increment AS boolean)
            AND before.source = :source
            AND before.entity = :entity
            AND before.status = 'loaded'
    ) AS said
)

UPDATE raw.load AS load
SET
    rows_read = read.rows_read,
    rows_rejected = read.rows_rejected,
    rows_new = own.rows_new,
    rows_loaded = own.rows_loaded,
    rows_waiting = waiting.rows_waiting,
    rows_changed = replaced.rows_changed,
    rows_taken_back = replaced.rows_taken_back,
    rows_deleted = replaced.rows_deleted,
    fields_emptied = own.fields_emptied,
    newest_on = newest.newest_on,
    finished_at = :at
FROM read
CROSS JOIN own
CROSS JOIN replaced
CROSS JOIN waiting
CROSS JOIN newest
WHERE load.load_id = :load_id
RETURNING
    load.rows_read,
    load.rows_new,
    load.rows_loaded,
    load.rows_waiting,
    load.rows_rejected,
    load.rows_changed,
    load.rows_taken_back,
    load.rows_deleted,
    load.fields_emptied,
    load.newest_on;
