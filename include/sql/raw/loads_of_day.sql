-- What the loads of a day came to, all attempts together.
-- Grain: source × entity. Reads: raw.load. Parameters: as_of. Writes nothing.
SELECT
    load.source,
    load.entity,
    max(load.rows_loaded) AS rows_loaded,
    max(load.rows_rejected) AS rows_rejected,
    coalesce(max(load.rows_taken_back), 0) AS rows_taken_back,
    max(load.fields_emptied) AS fields_emptied,
    min(load.rows_waiting) AS rows_waiting,
    max(load.rows_unknown) AS rows_unknown
FROM raw.load AS load
WHERE load.as_of = :as_of AND load.status = 'loaded'
GROUP BY load.source, load.entity
ORDER BY load.entity, load.source;
