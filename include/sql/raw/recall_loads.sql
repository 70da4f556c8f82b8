-- How loads ended.
-- Grain: load. Reads: raw.load. Parameters: load_ids. Writes nothing.
SELECT
    load.load_id,
    load.source,
    load.entity,
    load.rows_read,
    load.rows_new,
    load.rows_loaded,
    load.rows_waiting,
    load.rows_rejected,
    load.rows_changed,
    load.rows_taken_back,
    load.rows_deleted,
    load.fields_emptied,
    load.newest_on,
    load.problem,
    load.message
FROM raw.load AS load
WHERE load.load_id = ANY(CAST(:load_ids AS bigint[]))
ORDER BY load.load_id;
