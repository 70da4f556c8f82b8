-- How fresh each source's last finished load is.
-- Grain: source × entity. Reads: raw.load. Parameters: none. Writes nothing.
SELECT DISTINCT ON (load.source, load.entity)
    load.source,
    load.entity,
    load.as_of,
    load.newest_on
FROM raw.load AS load
WHERE load.status = 'loaded'
ORDER BY load.source ASC, load.entity ASC, load.load_id DESC;
