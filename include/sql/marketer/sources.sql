-- purpose: the latest load of each source
-- grain: source x entity; reads: raw.load; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT DISTINCT ON (source, entity)
    source,
    entity,
    as_of,
    status,
    coalesce(finished_at, started_at) AS at,
    newest_on
FROM raw.load
ORDER BY source ASC, entity ASC, load_id DESC;
