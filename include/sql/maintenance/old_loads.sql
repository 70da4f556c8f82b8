-- The loads that are long in core, and whose replaced rows are not emptied yet.
-- Grain: load. Reads: raw.load. Parameters: keep_days (before the newest day loaded).
-- Writes nothing.
SELECT
    load.load_id,
    load.entity
FROM raw.load AS load
WHERE
    load.status = 'loaded'
    AND load.tidied_at IS NULL
    AND load.as_of < (
        SELECT max(newest.as_of) FROM raw.load AS newest WHERE newest.status = 'loaded'
    ) - CAST(:keep_days AS integer)
ORDER BY load.load_id;
