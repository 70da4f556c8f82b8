-- purpose: the latest loads, newest first
-- grain: load; reads: raw.load (by its key); writes: nothing
-- parameters: row_limit
-- twice: it only reads
SELECT
    source,
    as_of,
    status,
    coalesce(finished_at, started_at) AS at,
    rows_read,
    rows_loaded,
    rows_waiting,
    rows_changed,
    rows_taken_back,
    rows_rejected,
    fields_emptied,
    rows_unknown,
    message
FROM raw.load
ORDER BY load_id DESC
LIMIT cast(:row_limit AS bigint);
